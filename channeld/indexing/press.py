"""The press: turns drafts of pages into stored pages, several at a time, holding only a few.

The zstd level is a budget of time. Measured on pages of 512 real records: level 1 takes 0.7 ms, 10 takes 5 ms, 16 takes
43 ms; so a render that changes few pages presses them well, and one that changes many, or is in a hurry, presses them
quickly and leaves the rest to the times between later renders of the same view (``ahead``).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from channeld.formats.zstdframe import CorruptPage, compress_page, decompress_page
from channeld.indexing.packs import Packs, PackWriter, PieceDamaged
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.paging import Draft

_IN_FLIGHT: Final = 32  # pages being compressed or waiting to be written; bounds the memory of a rebuild
_LAST_TEXTS: Final = 8  # texts of pages kept for the next document


@dataclass(frozen=True, slots=True)
class Levels:
    """zstd levels by the number of pages that a render has to compress."""

    settled: int = 16
    middle: int = 10
    quick: int = 1
    #: Up to so many pages are pressed at ``settled``, and up to so many at ``middle``.
    settled_pages: int = 8
    middle_pages: int = 80

    def for_pages(self, count: int) -> int:
        """Choose the level for a render of so many pages."""
        if count <= self.settled_pages:
            return self.settled
        return self.middle if count <= self.middle_pages else self.quick

    def for_stream(self, count: int) -> int:
        """Choose the level for the last of so many pages that stream by.

        Reading the rows of a page takes several times as long as pressing it at ``middle``, on another core.
        """
        return self.settled if count <= self.settled_pages else self.middle


class Slot:
    """A page on its way through the press; ``page`` is there once the press has been flushed."""

    __slots__ = ("_page", "count", "first", "times")

    def __init__(self, first: str, count: int, times: tuple[int, int]) -> None:
        self.first = first
        self.count = count
        self.times = times
        self._page: Page | None = None

    def fill(self, raw_size: int, raw_sha256: bytes, place: Place, level: int) -> None:
        """Say where the page was stored."""
        self._page = Page(self.first, self.count, raw_size, raw_sha256, place, level, *self.times)

    @property
    def page(self) -> Page:
        """The stored page."""
        if self._page is None:
            raise RuntimeError("The press has not been flushed yet.")
        return self._page


@dataclass(slots=True)
class _Pressing:
    """A text under way, and the slots that wait for it."""

    compressed: Future[bytes]
    raw_size: int
    raw_sha256: bytes
    level: int
    slots: list[Slot]


class Press:
    """Compresses on an executor's threads, and stores in one pack in the order of arrival.

    ``on_page`` is called after each page that is stored: a render that makes progress says so.
    """

    def __init__(
        self,
        packs: Packs,
        pack: PackWriter,
        executor: Executor,
        on_page: Callable[[], None] = lambda: None,
    ) -> None:
        self._packs = packs
        self._pack = pack
        self._executor = executor
        self._on_page = on_page
        self._under_way: deque[_Pressing] = deque()
        self._waiting: dict[bytes, _Pressing] = {}
        self._done: dict[bytes, tuple[int, Place, int]] = {}
        self._last_texts: dict[str, tuple[tuple[bytes, ...], bytes, bytes]] = {}

    def put(self, draft: Draft, level: int, times: tuple[int, int] = (0, 0)) -> Slot:
        """Hand in a draft. Drafts of equal text are compressed and stored once, at the first one's level."""
        slot = Slot(draft.first, len(draft.entries), times)
        self._put(*self._text(draft), slot, level)
        return slot

    def put_or_keep(
        self, draft: Draft, level: int, times: tuple[int, int], stored: Mapping[bytes, Page]
    ) -> Page | Slot:
        """Hand in a draft, unless a stored page has its text and is whole: then that page is returned.

        ``stored`` has pages by the hash of their text.
        """
        raw, raw_sha256 = self._text(draft)
        page = stored.get(raw_sha256)
        told = draft.first, len(draft.entries), *times
        if page is not None and (page.first, page.count, page.oldest_ms, page.newest_ms) == told:
            try:
                if load_page(self._packs, page) == raw:
                    return page
            except PieceDamaged:
                pass  # it is stored anew
        slot = Slot(draft.first, len(draft.entries), times)
        self._put(raw, raw_sha256, slot, level)
        return slot

    def replace(self, page: Page, compressed: bytes, level: int) -> Slot:
        """Store an old page as it came out at a better level."""
        slot = Slot(page.first, page.count, (page.oldest_ms, page.newest_ms))
        slot.fill(page.raw_size, page.raw_sha256, self._pack.add(compressed), level)
        return slot

    def _text(self, draft: Draft) -> tuple[bytes, bytes]:
        """Write the text of a draft and hash it, once for documents that have the same page one after the other."""
        entries, raw, raw_sha256 = self._last_texts.get(draft.first, ((), b"", b""))
        if entries != draft.entries:
            raw = draft.raw
            raw_sha256 = hashlib.sha256(raw).digest()
            if len(self._last_texts) >= _LAST_TEXTS:
                self._last_texts.clear()
            self._last_texts[draft.first] = draft.entries, raw, raw_sha256
        return raw, raw_sha256

    def _put(self, raw: bytes, raw_sha256: bytes, slot: Slot, level: int) -> None:
        if raw_sha256 in self._done:
            size, place, level = self._done[raw_sha256]
            slot.fill(size, raw_sha256, place, level)
        elif raw_sha256 in self._waiting:
            self._waiting[raw_sha256].slots.append(slot)
        else:
            compressed = self._executor.submit(compress_page, raw, level)
            pressing = _Pressing(compressed, len(raw), raw_sha256, level, [slot])
            self._waiting[raw_sha256] = pressing
            self._under_way.append(pressing)
            if len(self._under_way) > _IN_FLIGHT:
                self._store_oldest()

    def _store_oldest(self) -> None:
        oldest = self._under_way.popleft()
        place = self._pack.add(oldest.compressed.result())
        self._done[oldest.raw_sha256] = oldest.raw_size, place, oldest.level
        del self._waiting[oldest.raw_sha256]
        for slot in oldest.slots:
            slot.fill(oldest.raw_size, oldest.raw_sha256, place, oldest.level)
        self._on_page()

    def flush(self) -> None:
        """Wait until every page handed in is stored."""
        while self._under_way:
            self._store_oldest()

    def cancel(self) -> None:
        """Give up what has not been begun."""
        while self._under_way:
            self._under_way.popleft().compressed.cancel()

    def load(self, page: Page) -> bytes:
        """Return the text of a stored page, for another page to be made of; raises ``PieceDamaged``."""
        return load_text(self._packs, page)


def load_text(packs: Packs, page: Page) -> bytes:
    """Return the text of a stored page, checked against the hash of what was pressed; raises ``PieceDamaged``."""
    raw = load_page(packs, page)
    if hashlib.sha256(raw).digest() != page.raw_sha256:
        raise PieceDamaged(page.place.pack, page.place.start, "it does not hold the text that was pressed")
    return raw


def load_page(packs: Packs, page: Page) -> bytes:
    """Return the text of a stored page, whose compressed bytes are checked against their hash.

    Raises:
        PieceDamaged: it is not there as it was written.
    """
    try:
        return decompress_page(packs.read(page.place), page.raw_size)
    except CorruptPage as error:  # its hash is right: it was wrong when it was written
        raise PieceDamaged(page.place.pack, page.place.start, str(error).rstrip(".")) from error


def settle(items: Iterable[Page | Slot]) -> tuple[Page, ...]:
    """Return the pages behind the slots, after the press was flushed."""
    return tuple([item.page if isinstance(item, Slot) else item for item in items])
