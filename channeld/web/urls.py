"""The grammar of the URLs that clients read, and the channel names that would clash with other routes.

    [/t/<token>]/<channel>[/snapshot/<point>][/label/<label>]/[<subdir>/]<file>

A channel name is one path component, a label may be several (CEP 26). So a path is read from the right: the file
says whether a subdir stands before it, and what is left between ``label/`` and there is the label. Only HTML pages
exist at both levels; there the names of known subdirs decide, which is why no label may end in one.

One spelling for each resource, because a cache in front keys on the spelling: no empty parts, no ``.`` and ``..``, no
encoded slash; a trailing slash for pages only. Percent-encoding is undone once, part by part, on the path as it was
sent (``request.rel_url.raw_path``). Whatever is not in the grammar is not found: ``parse`` returns None.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import unquote

from channeld.formats.names import (
    DEFAULT_LABEL,
    KNOWN_SUBDIRS,
    Extension,
    FileName,
    Naming,
    check_channel_name,
    check_label,
    check_subdir,
)
from channeld.formats.rejections import BadName
from channeld.web.rejections import ReservedChannelName

JSON: Final = "application/json"
ZSTD: Final = "application/zstd"
HTML: Final = "text/html; charset=utf-8"

#: The page about a channel, a label or a subdir. Its URL is the folder, with the slash.
PAGE: Final = "index.html"

#: Documents of a channel or label, and their content types.
CHANNEL_DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "channeldata.json": JSON,
        "last-updated.json": JSON,
        "notices.json": JSON,
        "rss.xml": "application/rss+xml",
    }
)

#: Documents of a subdir, and their content types.
SUBDIR_DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "current_repodata.json": JSON,
        "current_repodata.json.zst": ZSTD,
        "patch_instructions.json": JSON,
        "repodata.json": JSON,
        "repodata.json.zst": ZSTD,
        "repodata_from_packages.json": JSON,
        "repodata_from_packages.json.zst": ZSTD,
        "repodata_shards.msgpack.zst": ZSTD,
        "run_exports.json": JSON,
        "run_exports.json.zst": ZSTD,
    }
)

#: First parts of a URL that are no channel, now or later. A name that is added here cuts off the channel that has it.
RESERVED_CHANNEL_NAMES: Final = frozenset(
    (
        # the grammar
        "channels", "label", "labels", "shards", "snapshot", "snapshots", "t", *CHANNEL_DOCUMENTS, *SUBDIR_DOCUMENTS,
        # anaconda.org's API
        "authentication", "authentication-type", "authentications", "commit", "copy", "dist", "download", "group",
        "groups", "notices", "package", "packages", "release", "scopes", "search", "stage", "user", "users",
        # quetz, prefix.dev, Gitea; conda-forge's webservices
        "api", "get", "graphql", "oidc", "alive", "feedstock-outputs", "feedstock-tokens",
        # the server itself, what browsers and probes ask for, and room to grow
        "admin", "assets", "auth", "channel", "debug", "docs", "favicon.ico", "health", "healthz", "help", "index.html",
        "jobs", "livez", "login", "logout", "metrics", "oauth", "openapi.json", "readyz", "robots.txt", "sitemap.xml",
        "static", "status", "tokens", "upload", "uploads", "version",
    )
)  # fmt: skip

#: Characters that a path may have. The longest one of valid parts has about 800.
PATH_LIMIT: Final = 1024

# conda cuts tokens out of URLs with [a-zA-Z0-9-]*, and mamba wants two characters at least.
_TOKEN: Final = re.compile(r"[A-Za-z0-9-]{2,255}")
_SHARD: Final = re.compile(r"([0-9a-f]{64})\.msgpack\.zst")
_REVISION: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?Z"
)
_ARTIFACT: Final = tuple(f".{extension}" for extension in Extension)


class Kind(Enum):
    """What sort of thing a URL names."""

    CHANNEL_DOCUMENT = "channel document"
    SUBDIR_DOCUMENT = "subdir document"
    SHARD = "shard"
    ARTIFACT = "artifact"
    PAGE = "page"
    #: The folder of a page without its slash: redirect to ``Resource.path``. Nothing else is ever redirected.
    PAGE_WITHOUT_SLASH = "page without slash"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a URL names; ``parse`` makes it. Every part keeps its rules, and nothing says yet that it exists.

    ``label`` is ``main`` for a URL without one. ``file`` is ``index.html`` for pages, and for shards it is
    ``shards/<hash>.msgpack.zst``.
    """

    kind: Kind
    token: str | None
    channel: str
    snapshot: str | None
    label: str
    subdir: str | None
    file: str

    @property
    def path(self) -> str:
        """The one path under which links name this resource. All its characters may stand in a path as they are."""
        parts = [] if self.token is None else ["t", self.token]
        parts.append(self.channel)
        if self.snapshot is not None:
            parts += ["snapshot", self.snapshot]
        if self.label != DEFAULT_LABEL:
            parts += ["label", self.label]
        if self.subdir is not None:
            parts.append(self.subdir)
        parts.append("" if self.file == PAGE else self.file)
        return "/" + "/".join(parts)

    @property
    def content_type(self) -> str:
        """The media type of what is served. No client of conda looks at it."""
        if self.kind is Kind.SUBDIR_DOCUMENT:
            return SUBDIR_DOCUMENTS[self.file]
        if self.kind is Kind.CHANNEL_DOCUMENT:
            return CHANNEL_DOCUMENTS[self.file]
        if self.kind is Kind.SHARD:
            return ZSTD
        return "application/octet-stream" if self.kind is Kind.ARTIFACT else HTML

    @property
    def shard_hash(self) -> str:
        """The sha256 in the name of a shard, in hex.

        Raises:
            ValueError: this is no shard.
        """
        found = _SHARD.fullmatch(self.file.removeprefix("shards/"))
        if found is None:
            raise ValueError(f"{self.file!r} is no shard")
        return found[1]


def check_new_channel_name(text: str, subdirs: Collection[str] = KNOWN_SUBDIRS) -> str:
    """Return the name for a channel that is to be created, unchanged.

    Raises:
        BadName: it is not a channel name (``channeld.formats.names.check_channel_name``).
        ReservedChannelName: its URLs would be those of other routes.
    """
    check_channel_name(text, subdirs)
    if text in RESERVED_CHANNEL_NAMES:
        raise ReservedChannelName(text)
    return text


def snapshot_point(text: str) -> int | date | datetime | None:
    """Read the point of a snapshot: a revision, a date or a time, both UTC. None for what is none of them."""
    if _REVISION.fullmatch(text):
        return int(text)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        return None


def split_token(raw_path: str) -> tuple[str | None, str] | None:
    """Take ``/t/<token>`` off the front of a path: clients put it at the root of the host, whatever follows.

    Returns the token, or None without one, and the path that is left; or None where the token is malformed.
    """
    if not raw_path.startswith("/t/"):
        return None, raw_path
    token, slash, rest = raw_path[3:].partition("/")
    if not slash or _TOKEN.fullmatch(token) is None:
        return None
    return token, f"/{rest}"


@lru_cache(maxsize=2048)  # 5 to 12 µs a path, and most requests are for a few of them
def parse(raw_path: str, subdirs: frozenset[str] = KNOWN_SUBDIRS) -> Resource | None:
    """Return what a path names, or None where it names nothing that could exist.

    Args:
        raw_path: the path as it was sent, without query. Anything at all: nothing makes this raise.
        subdirs: the names that are subdirs below a label, where only a page is asked for.
    """
    if len(raw_path) > PATH_LIMIT:
        return None
    divided = split_token(raw_path)
    parts = None if divided is None else _decoded_parts(divided[1])
    if divided is None or parts is None:
        return None
    try:
        return _resource(divided[0], parts, subdirs)
    except BadName:
        return None


def _decoded_parts(path: str) -> list[str] | None:
    """Split at the slashes and undo the percent-encoding of each part, once. What the parts may hold comes later."""
    if not path.startswith("/"):
        return None
    parts = path[1:].split("/")
    if "%" in path:
        parts = [unquote(part, encoding="latin-1") for part in parts]
        # The slashes of a label would have two spellings.
        if any("/" in part for part in parts):
            return None
    return parts


def _resource(token: str | None, parts: list[str], subdirs: Collection[str]) -> Resource | None:
    """Assemble a resource from the parts after the token.

    Raises:
        BadName: a part breaks its rules.
    """
    channel = check_channel_name(parts[0], subdirs)
    if channel in RESERVED_CHANNEL_NAMES:
        return None
    rest, snapshot = parts[1:], None
    if rest[:1] == ["snapshot"]:
        if len(rest) < 2 or snapshot_point(rest[1]) is None:
            return None
        rest, snapshot = rest[2:], rest[1]
    labelled = rest[:1] == ["label"]
    found = _from_the_right(rest[1:] if labelled else rest, labelled, subdirs)
    if found is None or bool(found.head) is not labelled:
        return None
    label = check_label("/".join(found.head), subdirs) if labelled else DEFAULT_LABEL
    if found.subdir is not None:
        check_subdir(found.subdir)
    if found.kind is Kind.ARTIFACT:
        FileName.parse(found.file, Naming.LEGACY)
    return Resource(found.kind, token, channel, snapshot, label, found.subdir, found.file)


class _Tail(NamedTuple):
    """The end of a path, divided: what stands before the subdir is the label."""

    kind: Kind
    head: list[str]
    subdir: str | None
    file: str


def _from_the_right(parts: list[str], labelled: bool, subdirs: Collection[str]) -> _Tail | None:
    last = parts[-1] if parts else PAGE
    if last in CHANNEL_DOCUMENTS:
        return _Tail(Kind.CHANNEL_DOCUMENT, parts[:-1], None, last)
    if _SHARD.fullmatch(last):
        below = len(parts) >= 3 and parts[-2] == "shards"
        return _Tail(Kind.SHARD, parts[:-3], parts[-3], f"shards/{last}") if below else None
    if last in SUBDIR_DOCUMENTS or last.endswith(_ARTIFACT):
        kind = Kind.SUBDIR_DOCUMENT if last in SUBDIR_DOCUMENTS else Kind.ARTIFACT
        return _Tail(kind, parts[:-2], parts[-2], last) if len(parts) >= 2 else None
    return _page(parts, labelled, subdirs)


def _page(parts: list[str], labelled: bool, subdirs: Collection[str]) -> _Tail:
    with_slash = parts[-1:] in ([""], [PAGE])
    kind, head = (Kind.PAGE, parts[:-1]) if with_slash else (Kind.PAGE_WITHOUT_SLASH, parts)
    # The first part after "label" belongs to the label, whatever it looks like.
    below_subdir = len(head) > 1 and head[-1] in subdirs if labelled else bool(head)
    return _Tail(kind, head[:-1], head[-1], PAGE) if below_subdir else _Tail(kind, head, None, PAGE)
