"""What was used last, kept in memory up to a weight."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Latest(Generic[K, V]):
    """Keeps values whose keys stand for what they say, so that none goes stale. Safe for several threads.

    The one that was used longest ago goes first. The last one stays, however heavy it is.
    """

    def __init__(self, most: int, weight: Callable[[V], int]) -> None:
        """``most`` is what all of them may weigh together."""
        self._most = most
        self._weigh = weight
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return what is kept, and count it as used."""
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def keep(self, key: K, value: V) -> None:
        """Keep a value, which nobody may change from now on."""
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._most and len(self._kept) > 1:
                self._weight -= self._weigh(self._kept.popitem(last=False)[1])

    def forget(self, key: K) -> None:
        """Keep it no longer."""
        with self._lock:
            value = self._kept.pop(key, None)
            if value is not None:
                self._weight -= self._weigh(value)

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()
            self._weight = 0
