"""Pressed ahead: old pages compressed better between publications, for the next one that changes their document.

A page that was pressed quickly is pressed well some time later, and only as a part of a generation in which its
document changes anyway, since another frame alone would be worth a download to every client. Doing so inside that
publication would share the processor with the page that changed: on two cores 80 ms of pressing instead of 65. So each
publication tells which pages are worth it, the indexer's idle time has them pressed one by one, and the next
publication takes what is ready. All of it is in memory: what a crash loses is processor time alone.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from channeld.errors import Unavailable
from channeld.formats.zstdframe import compress_page
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.press import load_text

log = logging.getLogger(__name__)

#: Compressed bytes that are kept: 200 pages of usual size.
_MOST_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Pressed:
    """What came of a page: its compressed bytes, or that it is not there as it was written."""

    raw_sha256: bytes
    found: bytes | PieceDamaged

    @property
    def size(self) -> int:
        return len(self.found) if isinstance(self.found, bytes) else 0


class Ahead:
    """Presses pages on ``thread``, its own, one at a time. Its methods are for another one, the indexer's.

    Pages of equal text that lie in different places are different pages: the damage of one says nothing of the other.
    """

    def __init__(self, packs: Packs, level: int, thread: Executor) -> None:
        self.level = level
        self._packs = packs
        self._thread = thread
        #: By channel, which take turns.
        self._wanted: dict[int, deque[Page]] = {}
        self._under_way: tuple[Page, Future[bytes]] | None = None
        #: The oldest first.
        self._pressed: dict[Place, _Pressed] = {}

    def want(self, channel_id: int, pages: Iterable[Page]) -> None:
        """Say which pages of a channel are worth it now, the best first; what was wanted of it before no longer is."""
        self._wanted[channel_id] = deque(pages)

    def step(self) -> bool:
        """Begin with the next page, unless the last one is under way still; False when there is nothing left to do."""
        self._collect()
        page = self._next() if self._under_way is None else None
        if page is not None:
            self._under_way = page, self._thread.submit(press_page, self._packs, page, self.level)
        return self._under_way is not None

    def _next(self) -> Page | None:
        while self._wanted:
            channel_id = next(iter(self._wanted))
            pages = self._wanted.pop(channel_id)
            page = pages.popleft() if pages else None
            if pages:
                self._wanted[channel_id] = pages  # behind the others
            if page is not None and page.place not in self._pressed:
                return page
        return None

    def _collect(self) -> None:
        """Put what is done with what is ready."""
        if self._under_way is None or not self._under_way[1].done():
            return
        page, pressing = self._under_way
        self._under_way = None
        error = pressing.exception()
        if isinstance(error, PieceDamaged):
            self._pressed[page.place] = _Pressed(page.raw_sha256, error)
        elif error is None:
            self._pressed[page.place] = _Pressed(page.raw_sha256, pressing.result())
        else:
            unexpected = None if isinstance(error, Unavailable) else error
            log.warning("A page is not compressed better: %s", error, exc_info=unexpected)
        while sum(one.size for one in self._pressed.values()) > _MOST_BYTES:
            del self._pressed[next(iter(self._pressed))]

    def ready(self) -> frozenset[bytes]:
        """Return the hashes of the texts of all pages of which ``get`` may have something to say."""
        self._collect()
        return frozenset(one.raw_sha256 for one in self._pressed.values())

    def get(self, page: Page) -> bytes | None:
        """Return a page compressed at ``level``; None if it is not ready.

        Raises:
            PieceDamaged: it was not there as it was written.
        """
        self._collect()
        pressed = self._pressed.get(page.place)
        if pressed is None:
            return None
        if isinstance(pressed.found, PieceDamaged):
            raise pressed.found
        return pressed.found

    def forget(self, pages: Iterable[Page]) -> None:
        """Drop pages that were taken."""
        for page in pages:
            self._pressed.pop(page.place, None)

    def forget_damage(self, damage: PieceDamaged) -> None:
        """Drop a page whose damage is seen to."""
        self._pressed = {place: one for place, one in self._pressed.items() if one.found is not damage}

    def close(self) -> None:
        """Wait for the page that is under way; no other one is begun."""
        self._wanted.clear()
        self._thread.shutdown(wait=True)


def press_page(packs: Packs, page: Page, level: int) -> bytes:
    """Compress a stored page anew; raises ``PieceDamaged``."""
    return compress_page(load_text(packs, page), level)
