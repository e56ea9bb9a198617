"""Ranges of a document out of its pieces, without a file: its plain text, and its zstd frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from channeld.formats.zstdframe import END
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import Page, PageTable, Piece, decoded_size, encoded_size, header, plain_size
from channeld.indexing.press import load_page

#: How many bytes a part has, and what reads them.
_Part = tuple[int, Callable[[], bytes]]


def plain(packs: Packs, table: PageTable, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes ``start`` to ``stop`` of the plain document, page by page.

    Raises:
        PieceDamaged: a page is not there as it was written.
    """
    parts = ((decoded_size(piece), partial(_decoded, packs, piece)) for piece in table.pieces())
    yield from _range(parts, start, stop)


def compressed(packs: Packs, table: PageTable, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes ``start`` to ``stop`` of the document's zstd frame, page by page.

    Raises:
        PieceDamaged: a page is not there as it was written.
    """

    def parts() -> Iterator[_Part]:
        head = header(plain_size(table))
        yield len(head), lambda: head
        for piece in table.pieces():
            yield encoded_size(piece), partial(_encoded, packs, piece)
        yield len(END), lambda: END

    yield from _range(parts(), start, stop)


def _range(parts: Iterable[_Part], start: int, stop: int) -> Iterator[bytes]:
    position = 0
    for size, read in parts:
        if position + size > start and position < stop:
            yield read()[max(0, start - position) : stop - position]
        position += size
        if position >= stop:
            return


def _decoded(packs: Packs, piece: Piece) -> bytes:
    return load_page(packs, piece) if isinstance(piece, Page) else piece.decoded


def _encoded(packs: Packs, piece: Piece) -> bytes:
    return packs.read(piece.place) if isinstance(piece, Page) else piece.encoded
