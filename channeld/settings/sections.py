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
        256,
        "Records in a page, about. A change renders and compresses its page only: fewer make a change cheaper, "
        "more make the document smaller.",
        rule=between(16, 65_536),
    )
    level_settled: int = key(
        16,
        "zstd level for pages while few of them change: 23 ms a page, the smallest download.",
        rule=between(1, 19),
    )
    level_hurried: int = key(
        9,
        "zstd level when level_settled would not keep render_budget_ms: 1.6 ms a page.",
        rule=between(1, 19),
    )
    level_rushed: int = key(
        3, "zstd level when level_hurried would not keep it either: 0.5 ms a page.", rule=between(1, 19)
    )
    render_budget_ms: int = key(
        200, "Milliseconds of compression that one new generation of an index may cost.", rule=between(1)
    )
    recompress_pages: int = key(
        8,
        "Pages of a lower level that a later generation brings to level_settled on its way. Never done without "
        "another change, which alone is worth a download to every client.",
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
        "Requests with a wrong token that one address may send in a minute; further ones are answered with 429. "
        "0 sets no limit.",
        rule=between(0),
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
    cache: Cache = field(default_factory=Cache)
    log: Log = field(default_factory=Log)
