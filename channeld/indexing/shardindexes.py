"""Shard indexes in memory: taking one with 24,000 names apart costs more than all else that a change does to shards."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from channeld.indexing.documents.shards import Listed, read_listed
from channeld.indexing.pagetable import Place

_MOST_NAMES: Final = 60_000  # a name and its hash take about 230 bytes


class ShardIndexes:
    """What the latest indexes list. Safe for several threads, as long as nobody changes what was given to it."""

    def __init__(self, most_names: int = _MOST_NAMES) -> None:
        self._most = most_names
        self._kept: OrderedDict[Place, Listed] = OrderedDict()
        self._names = 0
        self._lock = threading.Lock()

    def get(self, place: Place, read: Callable[[Place], bytes]) -> Listed:
        """Return what the index at a place lists.

        Raises:
            PieceDamaged: ``read`` does not find it as it was written.
        """
        with self._lock:
            listed = self._kept.get(place)
            if listed is not None:
                self._kept.move_to_end(place)
                return listed
        listed = read_listed(read(place))
        self.keep(place, listed)
        return listed

    def keep(self, place: Place, listed: Listed) -> None:
        """Remember an index that was just written; the last one however large it is."""
        with self._lock:
            if place in self._kept:
                return
            self._kept[place] = listed
            self._names += len(listed.hashes)
            while self._names > self._most and len(self._kept) > 1:
                self._names -= len(self._kept.popitem(last=False)[1].hashes)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._names = 0
