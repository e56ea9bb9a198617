"""Helpers: who works out what takes much Python, beside the thread that reads the catalog.

Usually those are the threads that compress. For a large view it is another process as well, since the threads of one
process run Python one at a time: half of a rebuild needs nothing but the rows, which cost little to hand over.

The process is made for one publication. Should it end unexpectedly, or not answer, what it was at is done here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
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
#: Seconds after which whoever waits looks whether it should go on, and how often it does before a process is given up.
#: A call takes some hundredths of a second; one for a package of 100,000 files some seconds.
_LOOK_SECONDS: Final = 0.25
_LOOKS: Final = 240


class Helpers:
    """The helpers of one publication; a context manager, which ends the process."""

    def __init__(
        self, threads: Executor, helped_from: int | None, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """A process helps with so many files or more; none does for None.

        ``on_wait`` is called again and again while a result is waited for; it may raise to have that end.
        """
        self._threads = threads
        self._helped_from = helped_from
        self._on_wait = on_wait
        self._process: HelperProcess | None = None

    def errands(self, files: int, function: Callable[..., T]) -> Errands[T]:
        """Begin calls of a function for a document of so many files.

        What the function takes and returns has to be what pickle takes.
        """
        process = self._process_for(files)
        if process is None:
            return Errands(self._threads, function, self._on_wait)
        return Errands(process, function, self._on_wait, process.kill)

    def _process_for(self, files: int) -> HelperProcess | None:
        if self._helped_from is None or files < self._helped_from:
            return None
        if self._process is None:
            try:
                self._process = HelperProcess()
            except OSError as error:
                log.warning("No helper process can be started: %s. What it is for is done without it.", error)
                self._helped_from = None
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """A call that was given away, or has been done."""

    future: Future[T]
    arguments: tuple[Any, ...]


class Errands(Generic[T]):
    """Calls of one function that a helper is given, one after the other. Results come in that order."""

    def __init__(
        self,
        helper: Executor,
        function: Callable[..., T],
        on_wait: Callable[[], None] = lambda: None,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        """``give_up`` ends a helper that does not answer."""
        self._helper = helper
        self._function = function
        self._on_wait = on_wait
        self._give_up = give_up
        self._under_way: deque[_Call[T]] = deque()
        self._has_ended = False

    def give(self, *arguments: Any) -> list[T]:
        """Give away a call, or do it here when the helper has enough to do; returns results that are ready."""
        ready = []
        while self._under_way and (self._under_way[0].future.done() or len(self._under_way) >= _MOST):
            ready.append(self._take())
        helped = len(self._under_way) < _AHEAD and not self._has_ended
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

    def _submit(self, arguments: tuple[Any, ...]) -> _Call[T]:
        try:
            return _Call(self._helper.submit(self._function, *arguments), arguments)
        except BrokenExecutor:
            self._note_end()
            return self._do(arguments)

    def _do(self, arguments: tuple[Any, ...]) -> _Call[T]:
        done: Future[T] = Future()
        done.set_result(self._function(*arguments))
        return _Call(done, ())

    def _take(self) -> T:
        call = self._under_way.popleft()
        self._wait(call.future)
        try:
            return call.future.result()
        except BrokenExecutor:
            self._note_end()
            return self._function(*call.arguments)

    def _wait(self, future: Future[T]) -> None:
        looks = 0
        while wait([future], _LOOK_SECONDS).not_done:
            self._on_wait()
            looks += 1
            if looks == _LOOKS:
                self._give_up()

    def _note_end(self) -> None:
        if not self._has_ended:
            log.warning("A helper process ended unexpectedly. What it is for is done without it.")
        self._has_ended = True
