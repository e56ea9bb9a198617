"""Chores of a running server: blocking work that is done every so often on a thread of its own, one after the other.

A chore that fails is told in the log and tried again when its time comes. It is handed ``stopping``, and ends early
when that returns true.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from channeld.errors import Unavailable

log = logging.getLogger(__name__)

Stopping = Callable[[], bool]

_HOUR: Final = 3600.0


def never() -> bool:
    """Tell a chore that nobody is stopping."""
    return False


@dataclass(frozen=True, slots=True)
class Chore:
    """What is to be done, how often, and how long after the start for the first time; in seconds."""

    name: str
    work: Callable[[Stopping], object]
    every: float = _HOUR
    first: float = 60.0


class Housekeeping:
    """Does the chores from ``start`` to ``stop``. For the event loop's thread."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="housekeeping")
        self._stopping = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to wait for the first chore's time."""
        self._tasks = [asyncio.create_task(self._repeat(chore), name=chore.name) for chore in self._chores]

    async def stop(self) -> None:
        """Have the chore under way end, and do no more."""
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)

    async def _repeat(self, chore: Chore) -> None:
        await asyncio.sleep(chore.first)
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, chore.work, self._stopping.is_set
                )
            except Unavailable as error:
                log.warning("%s did not succeed, and is tried again later. %s", chore.name, error)
            except Exception:
                log.exception("%s failed, and is tried again later.", chore.name)
            await asyncio.sleep(chore.every)
