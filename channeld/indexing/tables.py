"""Page tables at rest, and in memory.

A table is stored in two layers, so that a generation costs what changed: *runs* of about 64 neighbouring pages, each
a piece of its own, and a root that names the runs. Where a run ends is told by the hash of its last page, so a change
makes one run anew (two when a page with such a hash comes or goes), and all others are found where they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import msgpack

from channeld.indexing.latest import Latest
from channeld.indexing.packs import Packs, PackWriter
from channeld.indexing.pagetable import Page, PageTable, Place

_VERSION: Final = 1  # also of where runs end
_ENDS_RUN: Final = 4  # of 256 values of a hash's first byte: a run has 64 pages on average
_LONGEST_RUN: Final = 256
_MOST_PAGES: Final = 100_000  # in memory; a page takes about 400 bytes, and 500,000 records are 2,000 pages

#: Reads a piece, checked against its hash.
Read = Callable[[Place], bytes]


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table, and where its runs are stored."""

    table: PageTable
    #: The places of its runs, section by section.
    runs: Sequence[Sequence[Place]]

    def by_pages(self) -> dict[tuple[int, ...], Place]:
        """Find runs by their pages: these very objects, by their ``id``, as long as the table is there."""
        return {
            tuple(map(id, run)): place
            for section, places in zip(self.table.sections, self.runs, strict=True)
            for run, place in zip(_runs(section), places, strict=True)
        }


def store(table: PageTable, pack: PackWriter, known: StoredTable | None) -> tuple[Place, StoredTable]:
    """Write a table down; runs of the table ``known`` are not written again."""
    by_pages = known.by_pages() if known else {}
    by_hash = {place.sha256: place for places in known.runs for place in places} if known else {}
    sections = []
    for section in table.sections:
        places = []
        for run in _runs(section):
            place = by_pages.get(tuple(map(id, run)))
            if place is None:
                data = _encode_run(run)
                place = by_hash.get(hashlib.sha256(data).digest()) or pack.add(data)
            places.append(place)
        sections.append(places)
    packs = sorted({place.pack for places in sections for place in places})
    number = {name: index for index, name in enumerate(packs)}
    rows = [[[number[p.pack], p.start, p.size, p.sha256] for p in places] for places in sections]
    root = msgpack.packb([_VERSION, list(table.names), list(table.glue), packs, rows])
    return pack.add(bytes(root)), StoredTable(table, sections)


def load(read: Read, place: Place) -> StoredTable:
    """Read a table that ``store`` wrote.

    Raises:
        PieceDamaged: a part of it is not there as it was written.
        ValueError: a newer channeld wrote it.
    """
    names, glue, sections = _read_root(read, place)
    decoded = tuple(
        tuple(chain.from_iterable(_decode_run(read(run)) for run in places)) for places in sections
    )
    return StoredTable(PageTable(tuple(names), tuple(glue), decoded), sections)


def runs_at(read: Read, place: Place) -> list[Place]:
    """List where the runs of a table are stored, in order; one may be in it twice."""
    return list(chain.from_iterable(_read_root(read, place)[2]))


def pages_at(read: Read, run: Place) -> list[Page]:
    """List the pages of a run."""
    return _decode_run(read(run))


def _read_root(read: Read, place: Place) -> tuple[list[str], list[bytes], list[list[Place]]]:
    version, names, glue, packs, sections = msgpack.unpackb(read(place))
    if version != _VERSION:
        raise ValueError(f"This is a page table of version {version}; version {_VERSION} is known here.")
    places = [
        [Place(packs[pack], start, size, sha256) for pack, start, size, sha256 in rows] for rows in sections
    ]
    return names, glue, places


def _runs(section: Sequence[Page]) -> Iterator[Sequence[Page]]:
    ends = [index for index, page in enumerate(section, start=1) if page.place.sha256[0] < _ENDS_RUN]
    start = 0
    for end in (*ends, len(section)):
        for begin in range(start, end, _LONGEST_RUN):
            yield section[begin : min(begin + _LONGEST_RUN, end)]
        start = end


def _encode_run(pages: Sequence[Page]) -> bytes:
    packs = sorted({page.place.pack for page in pages})
    number = {name: index for index, name in enumerate(packs)}
    return bytes(msgpack.packb([packs, [_row(page, number[page.place.pack]) for page in pages]]))


def _row(page: Page, pack: int) -> list[Any]:
    place = page.place
    hashes = [page.raw_sha256, place.sha256]
    where = [pack, place.start, place.size]
    return [
        page.first,
        page.count,
        page.raw_size,
        page.level,
        *hashes,
        *where,
        page.oldest_ms,
        page.newest_ms,
    ]


def _decode_run(data: bytes) -> list[Page]:
    packs, rows = msgpack.unpackb(data)
    return [_page(row, packs) for row in rows]


def _page(row: list[Any], packs: list[str]) -> Page:
    first, count, raw_size, level, raw_sha256, sha256, pack, start, size, oldest, newest = row
    return Page(
        first, count, raw_size, raw_sha256, Place(packs[pack], start, size, sha256), level, oldest, newest
    )


class Tables:
    """Decoded page tables, the latest ones kept. Safe for several threads."""

    def __init__(self, packs: Packs, most_pages: int = _MOST_PAGES) -> None:
        self._packs = packs
        self._latest: Latest[Place, StoredTable] = Latest(most_pages, _weight)

    def get(self, place: Place) -> PageTable:
        """Return the table at a place.

        Raises:
            PieceDamaged: a part of it is not there as it was written.
        """
        return self.stored(place).table

    def stored(self, place: Place) -> StoredTable:
        """Return the table at a place, with where its runs are; raises ``PieceDamaged``."""
        stored = self._latest.get(place)
        if stored is None:
            stored = load(self._packs.read, place)
            self.keep(place, stored)
        return stored

    def keep(self, place: Place, stored: StoredTable) -> None:
        """Remember a table that was just written."""
        self._latest.keep(place, stored)

    def forget(self, place: Place) -> None:
        """Drop a table from memory."""
        self._latest.forget(place)

    def clear(self) -> None:
        """Drop all tables from memory."""
        self._latest.clear()


def _weight(stored: StoredTable) -> int:
    return 1 + sum(len(section) for section in stored.table.sections)
