"""A document that is written once, plain and as a zstd frame of pages, while its entries stream by.

Where a page ends is told by its last key alone, as far as it comes out neither too small nor too large. So the same
entries give the same pages whatever was there before, and after a change all pages but one or two are those of the
last run: their compressed bytes are taken from the frame that lies there (``formats.zstdframe`` says why they fit).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final
from zlib import crc32

from channeld.formats.layout import SEPARATOR, Layout
from channeld.formats.zstdframe import (
    END,
    RESET,
    RESET_WITH_COMMA,
    Splice,
    compress_page,
    frame_header,
    raw_block,
)

#: Measured on 38 pages of 124 kB of real records: level 6 takes 1.3 ms and leaves 25.3 kB, 9 takes 2.0 and leaves 24.8,
#: 12 takes 5.9 and leaves 24.7, 16 takes 32 and leaves 21.8.
LEVEL: Final = 9
#: Plain bytes from which a page may end, and at which it does: what fits in one zstd block.
_LEAST: Final = 48 * 1024
_MOST: Final = 124 * 1024
#: One key in so many ends a page.
_ENDS: Final = 64

#: sha256 of the plain page; offset, length and CRC-32 of its blocks in the frame.
_PAGE: Final = Struct(">32sQII")

#: Yields the entries of a section in their order.
Entries = Callable[[str], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A document that was written."""

    #: Of the plain text; the frame follows from it.
    digest: str
    size: int
    frame_size: int
    #: For the next run, see ``Earlier``.
    pages: bytes


@dataclass(frozen=True, slots=True)
class Earlier:
    """The frame that the last run wrote, as it lies there, and what it is made of."""

    frame: Path
    pages: bytes


def write_document(
    layout: Layout, entries: Entries, plain: Path, frame: Path, earlier: Earlier | None = None
) -> Drawn:
    """Write a document into two new files; no more than one page is held in memory.

    Raises:
        OSError
    """
    with _blocks_of(earlier) as blocks, plain.open("xb") as one, frame.open("xb") as other:
        writer = _Writer(one, other, blocks)
        writer.text(layout.glue[0])
        for section, glue in zip(layout.sections, layout.glue[1:], strict=True):
            for number, page in enumerate(_cut(entries(section))):
                writer.page(page, RESET_WITH_COMMA if number else RESET)
            writer.text(glue)
        return writer.finish()


def _cut(entries: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pages: entries with what stands between two of them."""
    page: list[bytes] = []
    size = 0
    for entry in entries:
        if page and size + len(entry) > _MOST:
            yield SEPARATOR.join(page)
            page, size = [], 0
        page.append(entry)
        size += len(entry) + len(SEPARATOR)
        if size > _LEAST and crc32(entry[: entry.index(b'"', 1)]) % _ENDS == 0:
            yield SEPARATOR.join(page)
            page, size = [], 0
    if page:
        yield SEPARATOR.join(page)


@dataclass(slots=True)
class _Blocks:
    """The compressed pages of an earlier frame."""

    descriptor: int = -1
    places: Mapping[bytes, tuple[int, int, int]] = field(default_factory=dict)

    def __enter__(self) -> _Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def get(self, sha256: bytes) -> bytes | None:
        """Return the blocks of a page, if they are there as they were written."""
        place = self.places.get(sha256)
        if place is None:
            return None
        start, length, crc = place
        blocks = os.pread(self.descriptor, length, start)
        return blocks if crc32(blocks) == crc else None


def _blocks_of(earlier: Earlier | None) -> _Blocks:
    if earlier is None:
        return _Blocks()
    try:
        descriptor = os.open(earlier.frame, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _Blocks()
    return _Blocks(descriptor, {sha256: tuple(place) for sha256, *place in _PAGE.iter_unpack(earlier.pages)})


class _Writer:
    """Writes both forms of a document side by side."""

    def __init__(self, plain: BinaryIO, frame: BinaryIO, earlier: _Blocks) -> None:
        self._plain = plain
        self._frame = frame
        self._earlier = earlier
        self._digest = hashlib.sha256()
        self._size = 0
        self._pages = bytearray()
        self._fresh = True
        self._position = frame.write(frame_header(0))

    def text(self, data: bytes) -> None:
        """Write what stands between two sections."""
        self._digest.update(b"text" + len(data).to_bytes(8, "big") + data)
        self._write(data, raw_block(data))

    def page(self, raw: bytes, splice: Splice) -> None:
        """Write a page, and in front of it what has to stand between it and a page before."""
        if not self._fresh:
            self._write(splice.decoded, splice.encoded)
        self._fresh = False
        sha256 = hashlib.sha256(raw).digest()
        self._digest.update(b"page" + sha256)
        blocks = self._earlier.get(sha256) or compress_page(raw, LEVEL)
        self._pages += _PAGE.pack(sha256, self._position, len(blocks), crc32(blocks))
        self._write(raw, blocks)

    def _write(self, decoded: bytes, encoded: bytes) -> None:
        self._size += self._plain.write(decoded)
        self._position += self._frame.write(encoded)

    def finish(self) -> Drawn:
        """End the frame, whose header tells the size of the whole."""
        size = self._position + self._frame.write(END)
        self._frame.seek(0)
        self._frame.write(frame_header(self._size))
        return Drawn(self._digest.hexdigest(), self._size, size, bytes(self._pages))
