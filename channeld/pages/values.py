"""What each page shows. Whoever fills these in has asked the catalog; the pages only say it.

Times are Unix milliseconds, sizes are bytes, hashes are hex. Lists are shown in the order in which they come.
A ``label`` is ``main`` for the channel itself. A ``snapshot`` is the point in its URL, or None for the live channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The label whose URL is the channel's own (CEP 26, "Label names").
DEFAULT_LABEL: Final = "main"

#: The label for packages that should not be installed.
BROKEN_LABEL: Final = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLine:
    """One file of a channel, in a list of the newest."""

    name: str
    version: str
    build: str
    filename: str
    subdir: str
    size: int
    #: When it came into this view (CEP 47).
    indexed_ms: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Document:
    """A machine-readable document in the folder of the page. ``size`` is None where it is not known."""

    filename: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubdirLine:
    """One subdir of a channel or label. ``updated_ms`` is None where nothing was ever published."""

    subdir: str
    packages: int
    updated_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label of a channel, and how many files carry it."""

    label: str
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """One public channel of the server. ``updated_ms`` is None where nothing was ever published."""

    channel: str
    description: str
    packages: int
    labels: int
    updated_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubdirPage:
    """The page ``[label/<label>/]<subdir>/index.html`` of a channel."""

    channel: str
    label: str
    subdir: str
    snapshot: str | None = None
    revision: int
    generated_ms: int
    #: Files that clients see, and the different package names among them.
    packages: int
    names: int
    #: File names under ``removed`` in repodata.json, and those of them that carry the label ``broken``.
    removed: int
    broken: int
    documents: tuple[Document, ...]
    newest: tuple[PackageLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPage:
    """The page ``[label/<label>/]index.html`` of a channel."""

    channel: str
    label: str
    snapshot: str | None = None
    #: Public URL of the server, for the commands that name the channel. Empty where it is not known.
    base_url: str
    description: str
    #: Whether reading needs a token.
    private: bool
    revision: int
    generated_ms: int
    subdirs: tuple[SubdirLine, ...]
    labels: tuple[LabelLine, ...]
    documents: tuple[Document, ...]
    newest: tuple[PackageLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPage:
    """The front page, which only the server itself has."""

    title: str
    version: str
    #: Where the documentation of the API is, as the program knows it: a URL, or a path relative to the front page.
    api_url: str
    channels: tuple[ChannelLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """What a browser is told instead of a page: the sentence and the advice of an error, and the path asked for."""

    status: int
    title: str
    sentence: str
    advice: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLine:
    """One route of the API. ``right`` is what its token needs, empty where it takes none or any."""

    method: str
    path: str
    summary: str
    text: str
    right: str


@dataclass(frozen=True, slots=True)
class RouteGroup:
    """The routes about one thing."""

    noun: str
    routes: tuple[RouteLine, ...]


@dataclass(frozen=True, slots=True)
class ApiPage:
    """The page about the API."""

    version: str
    #: Where the machine-readable description is, relative to the page.
    document: str
    groups: tuple[RouteGroup, ...]
