"""Helpers: who works out what takes much Python, beside the thread that reads the catalog.

Usually those are the threads that compress. For a large view it is another process as well, since the threads of one
process run Python one at a time: half of a rebuild needs nothing but the rows, which cost little to hand over.

The process is made for one publication. Should it end unexpectedly, what it was at is done here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from channeld.indexing.helperprocess import HelperProcess

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Files from which on a process is worth the half second that it takes to begin.
MANY: Final = 30_000

_AHEAD: Final = 4  # calls that a helper is given at a time
_MOST: Final = 16  # calls under way, or whose results wait for those of earlier ones


class Helpers:
    """The helpers of one publication; a context manager, which ends the process."""

    def __init__(self, threads: Executor, helped_from: int | None) -> None:
        """A process helps with so many files or more; none does for None."""
        self._threads = threads
        self._helped_from = helped_from
        self._process: Executor | None = None

    def for_files(self, count: int) -> Executor:
        """Return who helps with a document of so many files."""
        if self._helped_from is None or count < self._helped_from:
            return self._threads
        if self._process is None:
            try:
                self._process = HelperProcess()
            except OSError as error:
                log.warning("No helper process can be started: %s. What it is for is done without it.", error)
                self._helped_from = None
                return self._threads
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """A call that was given away, or has been done."""

    future: Future[T]
    arguments: tuple[Any, ...]


class Errands(Generic[T]):
    """Calls of one function that helpers are given, one after the other. Results come in that order."""

    def __init__(self, helper: Executor, function: Callable[..., T]) -> None:
        """What the function takes and returns has to be what pickle takes."""
        self._helper = helper
        self._function = function
        self._under_way: deque[_Call[T]] = deque()

    def give(self, *arguments: Any) -> list[T]:
        """Give away a call, or do it here when the helper has enough to do; returns results that are ready."""
        ready = []
        while self._under_way and (self._is_done() or len(self._under_way) >= _MOST):
            ready.append(self._take())
        helped = len(self._under_way) < _AHEAD
        self._under_way.append(self._submit(arguments) if helped else self._do(arguments))
        return ready

    def rest(self) -> Iterator[T]:
        """Yield the results that have not been returned."""
        while self._under_way:
            yield self._take()

    def cancel(self) -> None:
        """Give up what has not been begun."""
        for call in self._under_way:
            call.future.cancel()
        self._under_way.clear()

    def _is_done(self) -> bool:
        return self._under_way[0].future.done()

    def _submit(self, arguments: tuple[Any, ...]) -> _Call[T]:
        try:
            return _Call(self._helper.submit(self._function, *arguments), arguments)
        except BrokenExecutor:
            return self._do(arguments)

    def _do(self, arguments: tuple[Any, ...]) -> _Call[T]:
        done: Future[T] = Future()
        done.set_result(self._function(*arguments))
        return _Call(done, ())

    def _take(self) -> T:
        call = self._under_way.popleft()
        try:
            return call.future.result()
        except BrokenExecutor:
            log.warning("A helper process ended unexpectedly. What it was at is done without it.")
            return self._function(*call.arguments)
