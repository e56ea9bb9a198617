"""Many small results, few transactions: what is read is collected and committed by a thread, while reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from channeld.cold.reading import Read

#: Files in one transaction.
BATCH: Final = 500


class Batches:
    """Hands what it is given to ``commit``, in batches, on a thread of its own. One batch may wait for the last one."""

    def __init__(self, commit: Callable[[list[Read]], None]) -> None:
        self._commit = commit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commits")
        self._waiting: list[Read] = []
        self._under_way: Future[None] | None = None

    def take(self, reads: Iterable[Read]) -> None:
        """Collect results; raises what the commit of an earlier batch raised."""
        self._waiting.extend(reads)
        if len(self._waiting) >= BATCH:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
        batch, self._waiting = self._waiting, []
        self._under_way = self._thread.submit(self._commit, batch)

    def close(self) -> None:
        """Commit what is left, and wait for it."""
        try:
            if self._waiting:
                self._hand_over()
            if self._under_way is not None:
                self._under_way.result()
        finally:
            self._thread.shutdown(wait=True)
