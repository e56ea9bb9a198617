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
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from channeld.catalog.views import ViewKey
from channeld.errors import Unavailable
from channeld.formats.zstdframe import compress_page
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.press import load_text

log = logging.getLogger(__name__)

#: Compressed bytes that are kept: 100 pages of usual size.
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page that is worth it, and a view that has it."""

    key: ViewKey
    page: Page


class Ahead:
    """Presses pages on a thread of an executor, one at a time. Its methods are for another one, the indexer's.

    The executor is that of publications, whose threads hold the memory that pressing takes: 9 MB each. Where it has
    one thread, a publication may have to wait for the page under way.

    ``on_damage`` is told of a view with a page that is not there as it was written. Nothing more of that view's channel
    is pressed until something else is wanted of it.
    """

    def __init__(
        self,
        packs: Packs,
        level: int,
        executor: Executor,
        on_damage: Callable[[ViewKey, PieceDamaged], None],
    ) -> None:
        self.level = level
        self._packs = packs
        self._executor = executor
        self._on_damage = on_damage
        #: By channel, which take turns.
        self._wanted: dict[int, deque[Wanted]] = {}
        self._under_way: tuple[Wanted, Future[bytes]] | None = None
        #: Where a page lies → the hash of its text, and how it came out; the oldest first.
        self._pressed: dict[Place, tuple[bytes, bytes]] = {}

    def want(self, channel_id: int, pages: Iterable[Wanted]) -> None:
        """Say which pages of a channel are worth it now, the best first; what was wanted of it before no longer is."""
        self._wanted[channel_id] = deque(pages)

    def step(self) -> bool:
        """Begin with the next page, unless the last one is under way still; False when there is nothing left to do."""
        self._take_result()
        wanted = self._next() if self._under_way is None else None
        if wanted is not None:
            pressing = self._executor.submit(press_page, self._packs, wanted.page, self.level)
            self._under_way = wanted, pressing
        return self._under_way is not None

    def _next(self) -> Wanted | None:
        while self._wanted:
            channel_id = next(iter(self._wanted))
            pages = self._wanted.pop(channel_id)
            wanted = pages.popleft() if pages else None
            if pages:
                self._wanted[channel_id] = pages  # behind the others
            if wanted is not None and wanted.page.place not in self._pressed:
                return wanted
        return None

    def _take_result(self) -> None:
        if self._under_way is None or not self._under_way[1].done():
            return
        wanted, pressing = self._under_way
        error = pressing.exception()
        if error is None:
            self._keep(wanted.page, pressing.result())
        elif isinstance(error, PieceDamaged):
            self._on_damage(wanted.key, error)
            self._wanted.pop(wanted.key.channel_id, None)
        else:
            unexpected = None if isinstance(error, Unavailable) else error
            log.warning("A page is not compressed better: %s", error, exc_info=unexpected)
        self._under_way = None

    def _keep(self, page: Page, compressed: bytes) -> None:
        self._pressed[page.place] = page.raw_sha256, compressed
        while sum(len(kept) for _, kept in self._pressed.values()) > _MOST_BYTES:
            del self._pressed[next(iter(self._pressed))]

    def ready(self) -> frozenset[bytes]:
        """Return the hashes of the texts of all pages that are ready."""
        if self._under_way is not None and self._under_way[1].done() and not self._under_way[1].exception():
            self._take_result()
        return frozenset(raw_sha256 for raw_sha256, _ in self._pressed.values())

    def get(self, page: Page) -> bytes | None:
        """Return a page compressed at ``level``; None if it is not ready. Pages in other places are other pages."""
        _, compressed = self._pressed.get(page.place, (b"", None))
        return compressed

    def forget(self, pages: Iterable[Page]) -> None:
        """Drop pages that were taken."""
        for page in pages:
            self._pressed.pop(page.place, None)


def press_page(packs: Packs, page: Page, level: int) -> bytes:
    """Compress a stored page anew; raises ``PieceDamaged``."""
    return compress_page(load_text(packs, page), level)
