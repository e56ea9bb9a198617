"""The index.html files of a static channel, as a server's: ``channeld.pages`` draws both."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from channeld.cold.drawn import Subdir
from channeld.cold.names import NEWEST
from channeld.pages import rendering
from channeld.pages.values import (
    DEFAULT_LABEL,
    ChannelPage,
    Document,
    PackageLine,
    SubdirLine,
    SubdirPage,
)

PAGE: Final = "index.html"


def summary(packages: int, names: int, newest: Sequence[Mapping[str, Any]]) -> str:
    """Write down what pages say of a subdir."""
    return orjson.dumps({"packages": packages, "names": names, "newest": newest}).decode()


def subdir_page(title: str, subdir: str, known: Subdir, documents: Sequence[Document]) -> bytes:
    """Draw the page of a subdir."""
    said = _read(known)
    return rendering.subdir_page(
        SubdirPage(
            channel=title,
            label=DEFAULT_LABEL,
            subdir=subdir,
            revision=known.revision,
            generated_ms=known.changed_ms,
            packages=said["packages"],
            names=said["names"],
            removed=0,
            broken=0,
            documents=tuple(documents),
            newest=_lines(said["newest"]),
        )
    )


def channel_page(title: str, subdirs: Mapping[str, Subdir], documents: Sequence[str]) -> bytes:
    """Draw the page of the channel."""
    said = {subdir: _read(known) for subdir, known in subdirs.items()}
    newest = heapq.nsmallest(
        NEWEST,
        (line for one in said.values() for line in one["newest"]),
        key=lambda line: (-line["indexed_ms"], line["subdir"], line["filename"]),
    )
    return rendering.channel_page(
        ChannelPage(
            channel=title,
            label=DEFAULT_LABEL,
            base_url="",
            description="",
            private=False,
            revision=sum(known.revision for known in subdirs.values()),
            generated_ms=max((known.changed_ms for known in subdirs.values()), default=0),
            subdirs=tuple(
                SubdirLine(
                    subdir=subdir, packages=said[subdir]["packages"], updated_ms=known.changed_ms or None
                )
                for subdir, known in sorted(subdirs.items())
            ),
            labels=(),
            documents=tuple(Document(filename=name) for name in documents),
            newest=_lines(newest),
        )
    )


def _read(known: Subdir) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(known.summary or '{"packages":0,"names":0,"newest":[]}')
    return said


def _lines(newest: Sequence[dict[str, Any]]) -> tuple[PackageLine, ...]:
    return tuple(PackageLine(**line) for line in newest)
