"""Page tables: a document as a list of pages, each rendered and compressed on its own.

A document is glue and sections in turn: ``glue[0] section[0] glue[1] section[1] … glue[n]``. A section is a run of
sorted entries cut into pages; the glue is the JSON around them. The table knows for each page its first key, its
length and hash, plain and compressed, and where its compressed bytes lie. All that a document promises to the outside
(size, ETag, the bytes of both representations) follows from the table.

Between two pages stands a constant that resets the decoder (see ``formats.zstdframe``); it is white space, and a comma
where the pages are of one section. Documents over 16 MiB end in white space up to the next MiB, so that the content
size, which stands in the first bytes of the frame, rarely changes: what mirrors copy by ranges keeps its first range.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from channeld.formats.zstdframe import (
    END,
    RESET,
    RESET_WITH_COMMA,
    Splice,
    compress_page,
    frame_header,
    raw_block,
)

MIB = 1024 * 1024
PADDED_FROM = 16 * MIB


@dataclass(frozen=True, slots=True)
class Place:
    """Where some bytes lie: pack, offset and length in bytes, and their sha256."""

    pack: str
    start: int
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A run of neighbouring entries of one section, compressed on its own."""

    #: The sort key of its first entry (see ``paging``).
    first: str
    count: int
    raw_size: int
    raw_sha256: bytes
    place: Place
    #: The zstd level it was compressed at.
    level: int
    #: Smallest and largest ``indexed_timestamp`` of its records, ms; 0 where the section does not need them.
    oldest_ms: int = 0
    newest_ms: int = 0


Piece = Page | Splice


@dataclass(frozen=True, slots=True)
class PageTable:
    """One document."""

    names: tuple[str, ...]
    glue: tuple[bytes, ...]
    sections: tuple[tuple[Page, ...], ...]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.sections) == len(self.glue) - 1:
            raise ValueError("A page table has one piece of glue more than it has sections.")

    def section(self, name: str) -> tuple[Page, ...]:
        """Return the pages of a section; empty where the document has no such section."""
        return self.sections[self.names.index(name)] if name in self.names else ()

    def count(self, name: str) -> int:
        """Count the entries of a section."""
        return sum(page.count for page in self.section(name))

    def pages(self) -> Iterator[Page]:
        """Yield every page in order."""
        for section in self.sections:
            yield from section

    def parts(self) -> list[Splice | tuple[Page, ...]]:
        """List what the document is made of, in order: texts, and the pages of a section in one.

        Between two pages of a section stands ``RESET_WITH_COMMA``.
        """
        parts: list[Splice | tuple[Page, ...]] = [_text(self.glue[0])]
        fresh = True
        for section, glue in zip(self.sections, self.glue[1:], strict=True):
            if section:
                parts += [section] if fresh else [RESET, section]
                fresh = False
            parts.append(_text(glue))
        return [*parts, *_padding(sum(map(_decoded_size, parts)))]

    def pieces(self) -> list[Piece]:
        """List what the document is made of, in order, without the frame's header and end."""
        pieces: list[Piece] = []
        for part in self.parts():
            if isinstance(part, Splice):
                pieces.append(part)
            else:
                between: list[Piece] = [RESET_WITH_COMMA] * (2 * len(part) - 1)
                between[::2] = part
                pieces += between
        return pieces


def _decoded_size(part: Splice | tuple[Page, ...]) -> int:
    if isinstance(part, Splice):
        return len(part.decoded)
    return sum([page.raw_size for page in part]) + (len(part) - 1) * len(RESET_WITH_COMMA.decoded)


def plain_size(table: PageTable) -> int:
    """Bytes of the plain document."""
    return sum(map(_decoded_size, table.parts()))


def decoded_size(piece: Piece) -> int:
    """Bytes of a piece in the plain document."""
    return piece.raw_size if isinstance(piece, Page) else len(piece.decoded)


def encoded_size(piece: Piece) -> int:
    """Bytes of a piece in the zstd frame."""
    return piece.place.size if isinstance(piece, Page) else len(piece.encoded)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a document promises to the outside."""

    raw_size: int
    zst_size: int
    #: Hashes over the table that change exactly when the bytes of the representation do.
    raw_digest: str
    zst_digest: str


def measure(table: PageTable) -> Measures:
    """Derive sizes and digests of both representations, without touching the pages' bytes."""
    raw, zst = hashlib.sha256(b"plain\0"), hashlib.sha256(b"zstd\0")
    raw_size = 0
    zst_size = len(frame_header(0)) + len(END)
    for part in table.parts():
        if isinstance(part, Splice):
            raw_size += len(part.decoded)
            zst_size += len(part.encoded)
            raw.update(_told(part.decoded))
            zst.update(_told(part.encoded))
        else:  # thousands of pages, joined rather than gone through one by one
            gaps = len(part) - 1
            raw_size += _decoded_size(part)
            zst_size += sum([page.place.size for page in part]) + gaps * len(RESET_WITH_COMMA.encoded)
            raw.update(_told(RESET_WITH_COMMA.decoded).join([b"page" + page.raw_sha256 for page in part]))
            zst.update(_told(RESET_WITH_COMMA.encoded).join([b"page" + page.place.sha256 for page in part]))
    return Measures(raw_size, zst_size, raw.hexdigest(), zst.hexdigest())


def _told(text: bytes) -> bytes:
    """Return what the digest takes of a text between pages."""
    return b"text" + len(text).to_bytes(8, "big") + text


def header(raw_size: int) -> bytes:
    """Return the frame header of a document of that plain size."""
    return frame_header(raw_size)


def page_index(pages: Sequence[Page], key: str) -> int:
    """Find the page that holds a key, or would hold it."""
    return max(0, bisect_right(pages, key, key=lambda page: page.first) - 1)


def _text(data: bytes) -> Splice:
    return Splice(encoded=raw_block(data), decoded=data)


def _padding(size: int) -> list[Splice]:
    if size < PADDED_FROM:
        return []
    room = -size % MIB
    if room < len(RESET.decoded):
        room += MIB
    return [RESET, _white_space(room - len(RESET.decoded))]


@lru_cache(maxsize=16)
def _white_space(size: int) -> Splice:
    data = b" " * size
    return Splice(encoded=compress_page(data, 3), decoded=data)
