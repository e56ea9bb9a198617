"""The press: turns drafts of pages into stored pages, several at a time, holding only a few.

The zstd level is a budget. Measured on pages of 256 real records: level 3 takes 0.5 ms, 9 takes 1.6 ms, 16 takes
23 ms; so a render that changes few pages presses them well, and one that changes many presses them quickly and leaves
the rest to later renders of the same view.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from channeld.formats.zstdframe import compress_page, decompress_page
from channeld.indexing.packs import Packs, PackWriter
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.paging import Draft

_IN_FLIGHT = 32  # pages being compressed or waiting to be written; bounds the memory of a rebuild


@dataclass(frozen=True, slots=True)
class Levels:
    """zstd levels by the number of pages that a render has to compress."""

    settled: int = 16
    middle: int = 9
    quick: int = 3
    #: Up to so many pages are pressed at ``settled``, and up to so many at ``middle``.
    settled_pages: int = 8
    middle_pages: int = 96

    def for_pages(self, count: int) -> int:
        """Choose the level for a render of so many pages."""
        if count <= self.settled_pages:
            return self.settled
        return self.middle if count <= self.middle_pages else self.quick


class Slot:
    """A page on its way through the press; ``page`` is there once the press has been flushed."""

    __slots__ = ("_page", "count", "first", "times")

    def __init__(self, first: str, count: int, times: tuple[int, int]) -> None:
        self.first = first
        self.count = count
        self.times = times
        self._page: Page | None = None

    def fill(self, raw_size: int, raw_sha256: bytes, place: Place, level: int) -> None:
        self._page = Page(self.first, self.count, raw_size, raw_sha256, place, level, *self.times)

    @property
    def page(self) -> Page:
        if self._page is None:
            raise RuntimeError("The press has not been flushed yet.")
        return self._page


class Press:
    """Compresses on an executor's threads, and stores in one pack in the order of arrival."""

    def __init__(self, packs: Packs, pack: PackWriter, executor: Executor) -> None:
        self._packs = packs
        self.pack = pack
        self._executor = executor
        self._under_way: deque[tuple[Future[bytes], list[Slot], int, bytes, int]] = deque()
        self._slots: dict[tuple[bytes, int], list[Slot]] = {}
        self._done: dict[tuple[bytes, int], tuple[int, Place]] = {}

    def put(self, draft: Draft, level: int, times: tuple[int, int] = (0, 0)) -> Slot:
        """Hand in a draft. Drafts of equal text are compressed and stored once."""
        slot = Slot(draft.first, len(draft.entries), times)
        self._put(draft.raw, slot, level)
        return slot

    def again(self, page: Page, level: int) -> Slot:
        """Compress an old page anew, at a better level."""
        raw = load_page(self._packs, page)
        slot = Slot(page.first, page.count, (page.oldest_ms, page.newest_ms))
        self._put(raw, slot, level)
        return slot

    def _put(self, raw: bytes, slot: Slot, level: int) -> None:
        sha256 = hashlib.sha256(raw).digest()
        key = (sha256, level)
        if key in self._done:
            size, place = self._done[key]
            slot.fill(size, sha256, place, level)
        elif key in self._slots:
            self._slots[key].append(slot)
        else:
            self._slots[key] = [slot]
            future = self._executor.submit(compress_page, raw, level)
            self._under_way.append((future, self._slots[key], len(raw), sha256, level))
            if len(self._under_way) > _IN_FLIGHT:
                self._store_oldest()

    def _store_oldest(self) -> None:
        future, slots, size, sha256, level = self._under_way.popleft()
        place = self.pack.add(future.result())
        self._done[sha256, level] = size, place
        del self._slots[sha256, level]
        for slot in slots:
            slot.fill(size, sha256, place, level)

    def flush(self) -> None:
        """Wait until every page handed in is stored."""
        while self._under_way:
            self._store_oldest()

    def load(self, page: Page) -> bytes:
        """Return the text of a stored page, checked against its hash.

        Raises:
            PieceDamaged: it is not there as it was written.
        """
        return load_page(self._packs, page)


def load_page(packs: Packs, page: Page) -> bytes:
    """Read a page's text; see ``Press.load``."""
    return decompress_page(packs.read(page.place), page.raw_size)


def settle(items: Iterable[Page | Slot]) -> tuple[Page, ...]:
    """Return the pages behind the slots, after the press was flushed."""
    return tuple(item.page if isinstance(item, Slot) else item for item in items)
