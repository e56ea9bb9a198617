"""Small pages of every kind, to be changed with ``dataclasses.replace``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from channeld.pages.rendering import channel_page, error_page, not_found_page, server_page, subdir_page
from channeld.pages.values import (
    ChannelLine,
    ChannelPage,
    Document,
    ErrorPage,
    LabelLine,
    PackageLine,
    ServerPage,
    SubdirLine,
    SubdirPage,
)

#: 2026-08-01 16:00:00.250 UTC
NOON: Final = 1_785_600_000_250

PACKAGE: Final = PackageLine(
    name="numpy",
    version="2.3.1",
    build="py313_0",
    filename="numpy-2.3.1-py313_0.conda",
    subdir="linux-64",
    size=1_234_567,
    indexed_ms=NOON,
    sha256="0123456789abcdef" * 4,
    md5="fedcba9876543210" * 2,
)

SUBDIR: Final = SubdirPage(
    channel="forge",
    label="main",
    subdir="linux-64",
    revision=48_123,
    generated_ms=NOON,
    packages=1234,
    names=321,
    removed=5,
    broken=2,
    documents=(Document("repodata.json", 205_364_233), Document("repodata.json.zst")),
    newest=(PACKAGE,),
)

CHANNEL: Final = ChannelPage(
    channel="forge",
    label="main",
    base_url="https://conda.example.org",
    description="Packages for everybody.",
    private=False,
    revision=48_123,
    generated_ms=NOON,
    subdirs=(
        SubdirLine(subdir="linux-64", packages=1234, updated_ms=NOON),
        SubdirLine(subdir="noarch", packages=1),
        SubdirLine(subdir="win-64", packages=0),
    ),
    labels=(LabelLine("main", 1235), LabelLine("gcc/next", 1)),
    documents=(
        Document("channeldata.json", 900),
        Document("notices.json"),
        Document("rss.xml"),
    ),
    newest=(PACKAGE,),
)

SERVER: Final = ServerPage(
    title="conda.example.org",
    version="1.2.3",
    api_url="api/docs",
    channels=(
        ChannelLine(
            channel="forge",
            description="Packages for everybody.",
            packages=1235,
            labels=2,
            updated_ms=NOON,
        ),
        ChannelLine(channel="lab", description="", packages=1, labels=1),
    ),
)

ERROR: Final = ErrorPage(
    status=503,
    title="Not now",
    sentence="The database does not answer.",
    advice="Try again in 5 seconds.",
    path="/forge/",
)

#: Every kind of page, by a name for it.
EVERY_KIND: Final[Mapping[str, Callable[[], bytes]]] = {
    "subdir": lambda: subdir_page(SUBDIR),
    "channel": lambda: channel_page(CHANNEL),
    "server": lambda: server_page(SERVER),
    "error": lambda: error_page(ERROR),
    "not found": lambda: not_found_page("/forge/nothing/"),
}
