"""Pressed ahead: old pages compressed better between publications, for the next one that changes their document.

A page that was pressed quickly is pressed well some time later, and only as a part of a generation in which its
document changes anyway, since another frame alone would be worth a download to every client. Doing so inside that
publication would share the processor with the page that changed: on two cores 80 ms of pressing instead of 65. So each
publication tells which pages are worth it, the indexer's idle time presses them one by one, and the next publication
takes what is ready. All of it is in memory: a crash loses some tenths of a second of work, and nothing else.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from typing import Final

from channeld.formats.zstdframe import compress_page
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Page
from channeld.indexing.press import load_text

log = logging.getLogger(__name__)

_MOST_KEPT: Final = 64  # pages, of some 40 KB each


class Ahead:
    """Presses pages on an executor's thread, one at a time. Its methods are for one thread, the indexer's."""

    def __init__(self, packs: Packs, executor: Executor, level: int) -> None:
        self._packs = packs
        self._executor = executor
        self.level = level
        self._wanted: deque[Page] = deque()
        self._last: Future[bytes] | None = None
        #: By the hash of their text, the oldest first.
        self._pressed: dict[bytes, Future[bytes]] = {}

    def want(self, pages: Iterable[Page]) -> None:
        """Say which pages are worth it, the best first, instead of those that were wanted before and are not begun."""
        self._wanted = deque(page for page in pages if page.raw_sha256 not in self._pressed)

    def step(self) -> bool:
        """Begin with the next page, unless the last one is under way still; False when there is nothing left to do."""
        if self._last is not None and not self._last.done():
            return True
        if not self._wanted:
            return False
        page = self._wanted.popleft()
        self._last = self._executor.submit(press_page, self._packs, page, self.level)
        self._pressed[page.raw_sha256] = self._last
        while len(self._pressed) > _MOST_KEPT:
            del self._pressed[next(iter(self._pressed))]
        return True

    def ready(self) -> frozenset[bytes]:
        """Return the hashes of the texts of the pages that ``get`` has an answer for, whatever that is."""
        for raw_sha256, pressing in list(self._pressed.items()):
            error = pressing.exception() if pressing.done() else None
            if error is not None and not isinstance(error, PieceDamaged):
                log.warning("A page could not be compressed better; it stays as it is. %s", error)
                del self._pressed[raw_sha256]
        return frozenset(raw_sha256 for raw_sha256, pressing in self._pressed.items() if pressing.done())

    def get(self, raw_sha256: bytes) -> bytes:
        """Return a page that is ready, compressed at ``level``.

        Raises:
            PieceDamaged: it was not there as it was written. That is told once.
        """
        try:
            return self._pressed[raw_sha256].result()
        except PieceDamaged:
            del self._pressed[raw_sha256]
            raise


def press_page(packs: Packs, page: Page, level: int) -> bytes:
    """Compress a stored page anew; raises ``PieceDamaged``."""
    return compress_page(load_text(packs, page), level)
