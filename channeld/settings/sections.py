"""Every setting there is: what it means, its unit, its default. This module is the reference.

``docs/settings.md`` is made from it by ``channeld config docs``. A number carries its unit in its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from channeld.settings.keys import DATABASE_URL, NETWORKS, NOT_EMPTY, PUBLIC_URL, SUBDIRS, between, key

DAY_SECONDS: Final = 86_400
MIB_BYTES: Final = 1024 * 1024
GIB_BYTES: Final = 1024 * MIB_BYTES

#: conda's own list (``conda.base.constants.KNOWN_SUBDIRS``).
KNOWN_SUBDIRS: Final = (
    "noarch",
    "emscripten-wasm32",
    "freebsd-64",
    "linux-32",
    "linux-64",
    "linux-aarch64",
    "linux-armv6l",
    "linux-armv7l",
    "linux-ppc64",
    "linux-ppc64le",
    "linux-riscv64",
    "linux-s390x",
    "osx-64",
    "osx-arm64",
    "wasi-wasm32",
    "win-32",
    "win-64",
    "win-arm64",
    "zos-z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where channeld listens and how it stops."""

    host: str = key(
        "127.0.0.1",
        "Address to listen on. The default admits this machine only; 0.0.0.0 and :: admit every one.",
        rule=NOT_EMPTY,
    )
    port: int = key(
        8000, "TCP port to listen on. 0 takes a free one and says which.", rule=between(0, 65_535)
    )
    workers: int = key(
        1, "Processes that answer requests. One of them at a time indexes.", rule=between(1, 64)
    )
    base_url: str = key(
        "",
        "Public URL under which clients reach this server, for the links that it gives out. Empty derives it from "
        "each request.",
        rule=PUBLIC_URL,
    )
    trusted_proxies: tuple[str, ...] = key(
        (),
        "Networks of the proxies whose Forwarded and X-Forwarded-* headers are believed. From anywhere else these "
        "headers are ignored.",
        rule=NETWORKS,
    )
    shutdown_grace_seconds: int = key(
        30,
        "Seconds that requests under way are given to finish when the server is told to stop.",
        rule=between(0),
    )
    max_upload_bytes: int = key(
        16 * GIB_BYTES,
        "Bytes that one uploaded file may have. A larger one is refused unread.",
        rule=between(1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where channeld keeps what it must not lose."""

    data_dir: Path = key(  # noqa: RUF009 - nobody can change a Path
        Path("data"),
        "Folder of the artifacts, the pages of the indexes and, without a database_url, the catalog. Made when "
        "missing. One file system.",
    )
    database_url: str = key(
        "",
        "Database of the catalog: postgresql://user:password@host/name or sqlite:///path. Empty keeps it in "
        "catalog.sqlite in data_dir.",
        rule=DATABASE_URL,
        secret=True,
    )
    reserve_bytes: int = key(
        GIB_BYTES,
        "Free bytes on the disk of data_dir below which uploads are answered with 503, so that indexing and the "
        "database always have room to finish.",
        rule=between(0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """How the indexes are cut, compressed and kept."""

    page_records: int = key(
        512,
        "Records in a page, about. A change renders and compresses its page only: fewer make a change cheaper, "
        "more make the document smaller.",
        rule=between(16, 65_536),
    )
    level_settled: int = key(
        16,
        "zstd level for pages while few of them change: 43 ms a page, the smallest download.",
        rule=between(1, 19),
    )
    level_hurried: int = key(
        10,
        "zstd level when level_settled would not keep render_budget_ms: 5 ms a page, 4 % more to download.",
        rule=between(1, 19),
    )
    level_rushed: int = key(
        1,
        "zstd level when level_hurried would not keep it either, and while changes come one after the other: 0.7 ms "
        "a page, 12 % more to download.",
        rule=between(1, 19),
    )
    render_budget_ms: int = key(
        200, "Milliseconds of compression that one new generation of an index may cost.", rule=between(1)
    )
    recompress_pages: int = key(
        8,
        "Pages beside a change that are brought to level_settled while there is nothing to publish. They wait for "
        "another change of their document, since they alone are not worth a download to every client. 0 leaves all "
        "pages as they are.",
        rule=between(0),
    )
    initial_subdirs: tuple[str, ...] = key(
        KNOWN_SUBDIRS,
        "Subdirs that every channel and label has from its first moment, empty as they may be: clients remember a "
        "404, pixi for ever. An empty one takes no space.",
        rule=SUBDIRS,
    )
    keep_generations_seconds: int = key(
        90 * DAY_SECONDS,
        "Seconds that a replaced generation can be read as a snapshot and rolled back to. 0 keeps all of them; one "
        "costs its changed pages and its table. The newest of a view is always kept.",
        rule=between(0),
    )
    keep_shards_seconds: int = key(
        7 * DAY_SECONDS,
        "Seconds that a replaced shard is still served. mamba trusts an index that it has for a day, hence the "
        "lower bound.",
        rule=between(DAY_SECONDS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one upload or one client may ask of the server."""

    archive_info_bytes: int = key(
        512 * MIB_BYTES, "Bytes that the info/ of one package may unpack to.", rule=between(MIB_BYTES)
    )
    archive_tar_bytes: int = key(
        64 * GIB_BYTES,
        "Bytes that a .tar.bz2 may unpack to. Of a .conda only the info/ is unpacked.",
        rule=between(MIB_BYTES),
    )
    archive_document_bytes: int = key(
        64 * MIB_BYTES,
        "Bytes of one metadata file that may be long: info/paths.json has 150 to 500 for each file of the package.",
        rule=between(MIB_BYTES),
    )
    archive_small_document_bytes: int = key(
        4 * MIB_BYTES,
        "Bytes of any other metadata file that is kept, such as info/about.json. Real ones stay below 1 MiB.",
        rule=between(MIB_BYTES),
    )
    archive_entries: int = key(
        300_000,
        "Files and folders in one archive. Each takes about 100 bytes of memory while it is read.",
        rule=between(1000),
    )
    archive_ratio: int = key(
        400,
        "Unpacked bytes for each packed byte above which an archive is taken for a bomb, once it has yielded 32 MiB.",
        rule=between(10),
    )
    token_failures_per_minute: int = key(
        30,
        "Requests with a wrong token that one address may send in a minute, to each process of the server; further "
        "ones are answered with 429. 0 sets no limit.",
        rule=between(0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What becomes of packages between their upload to a staging channel and their publication."""

    keep_candidates_seconds: int = key(
        7200,
        "Seconds for which a candidate of a staging channel can be promoted after its last upload; then it is removed. "
        "0 keeps all of them.",
        rule=between(0),
    )
    keep_copies_seconds: int = key(
        30 * DAY_SECONDS,
        "Seconds for which it can be looked up what became of a copy. The audit tells it for ever.",
        rule=between(3600),
    )
    token_check_threads: int = key(
        2,
        "Threads, of each process, that verify the tokens of feedstocks. One verification takes 50 ms of a core and "
        "16 MiB; a wrong token takes four of them.",
        rule=between(1, 64),
    )
    token_checks_waiting: int = key(
        256,
        "Verifications that may wait for these threads; further ones are answered with 503.",
        rule=between(0, 10_000),
    )
    token_failures_by_address_per_minute: int = key(
        30,
        "Wrong feedstock tokens that one address (of IPv6, one /64 network) may send in a minute; further ones are "
        "answered with 429, unverified. 0 sets no limit.",
        rule=between(0),
    )
    token_failures_by_feedstock_per_minute: int = key(
        120,
        "Wrong tokens that may be sent in a minute for one feedstock, known or not, from wherever; further ones are "
        "answered with 429, unverified. 0 sets no limit.",
        rule=between(0),
    )


#: What the IANA registries of special-purpose addresses (RFC 6890 and later) keep from the public internet.
SPECIAL_NETWORKS: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """How events are sent to those who asked for them (see webhooks.md)."""

    refused_networks: tuple[str, ...] = key(
        SPECIAL_NETWORKS,
        "Networks that webhooks do not reach, whatever a name resolves to. The default keeps them from this machine "
        "and from private networks.",
        rule=NETWORKS,
    )
    allowed_networks: tuple[str, ...] = key(
        (), "Networks that webhooks reach although they are part of a refused one.", rule=NETWORKS
    )
    timeout_seconds: int = key(
        10, "Seconds that a receiver may take to answer, connecting included.", rule=between(1, 120)
    )
    attempts: int = key(
        18,
        "Attempts after which a delivery is given up. The pauses between them grow from 5 seconds to 2 hours: 18 take "
        "about a day.",
        rule=between(1, 1000),
    )
    concurrency: int = key(
        32,
        "Deliveries that are under way at the same time to receivers that are known to be sound. Those that fail or "
        "are slow have a quarter of that, those that are new as much, and one receiver has one.",
        rule=between(1, 1000),
    )
    most: int = key(200, "Webhooks that there may be.", rule=between(0, 10_000))
    keep_deliveries_seconds: int = key(
        30 * DAY_SECONDS,
        "Seconds for which it can be looked up what was delivered or given up.",
        rule=between(3600),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """For how long clients and edges may answer without asking. What is named by its hash is cached for ever."""

    mutable_max_age_seconds: int = key(
        60,
        "max-age, in seconds, of repodata, shard indexes and everything else that changes under its name.",
        rule=between(1, 3600),
    )
    not_found_max_age_seconds: int = key(
        10,
        "max-age, in seconds, of a 404: how long an edge may hide a package that has just arrived.",
        rule=between(0, 60),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How the record of all changes is sealed."""

    seal_seconds: int = key(
        1,
        "Seconds between two rounds that chain new rows by their hashes. Rows that are not sealed yet can be changed "
        "unnoticed, and webhooks and `channeld audit --follow` do not tell of them.",
        rule=between(1, 3600),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is written to standard error, one line an event, never with a token."""

    format: Literal["text", "json"] = key("text", "Lines for people, or one JSON object a line.")
    level: Literal["debug", "info", "warning", "error"] = key(
        "info", "The least severe level that is written."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them. ``Settings()`` has the defaults."""

    server: Server = field(default_factory=Server)
    storage: Storage = field(default_factory=Storage)
    index: Index = field(default_factory=Index)
    limits: Limits = field(default_factory=Limits)
    promotion: Promotion = field(default_factory=Promotion)
    webhooks: Webhooks = field(default_factory=Webhooks)
    cache: Cache = field(default_factory=Cache)
    audit: Audit = field(default_factory=Audit)
    log: Log = field(default_factory=Log)
