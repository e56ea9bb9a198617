"""Worker processes: one for each core, fed with jobs through a pipe each.

Own code, because an executor of the standard library starts threads that make forking unsafe, and leaves its processes
behind when this one is killed. Here a worker sees its pipe close, and ends. Jobs wait in the pipes, two to a worker, so
that none is idle while this process is busy with results; nothing else is held in memory.

What this process has loaded when they are made, they have too: a fork costs milliseconds, loading a tenth of a second.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar, Final, TypeVar, cast

from channeld.errors import Unavailable
from channeld.jobs import receive, send, serve

J = TypeVar("J", bound=Callable[[], Any])

#: Jobs that a worker has been given: one it works on, and one that waits in its pipe.
_AHEAD: Final = 2


@dataclass(eq=False)
class WorkerDied(Unavailable):
    """A worker process ended in the middle of its work."""

    advice: ClassVar[str] = (
        "Look at the system's log: a process may have been killed for want of memory. What was done so far is kept; "
        "run the command again to go on."
    )

    def sentence(self) -> str:
        return "A worker process ended unexpectedly."


@dataclass(frozen=True, slots=True)
class Call:
    """A job that names its function, ``package.module:function``: only who does it needs to have that loaded."""

    place: str
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        return load(self.place)(*self.arguments)


@cache
def load(place: str) -> Callable[..., Any]:
    """Return a function that is named as in ``Call``, loading its module first."""
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


class Workers:
    """Calls jobs in some processes; with none, jobs are done here. Results come as they get ready."""

    def __init__(self, count: int) -> None:
        #: The number of processes.
        self.count = count
        self._connections: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def start(self, without: Sequence[int] = ()) -> None:
        """Make the processes, unless they are there; at the latest the first job has it done.

        While this process has one thread, it forks; later it has to start new interpreters. What must not be in two
        processes, such as a connection to SQLite, must not be open; descriptors in ``without`` the processes close, or
        they would hold a lock for as long as they live.
        """
        if self._connections:
            return
        try:
            self._make(without)
        except BaseException:
            self.close()
            raise

    def _make(self, without: Sequence[int]) -> None:
        forks = threading.active_count() == 1
        context: ForkContext | SpawnContext
        context = multiprocessing.get_context("fork") if forks else multiprocessing.get_context("spawn")
        for _ in range(self.count):
            ours, theirs = context.Pipe()
            inherited = ([*self._connections, ours], without) if forks else ([], [])
            process = context.Process(target=_serve, args=(theirs, *inherited), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def run(self, jobs: Iterator[J], ahead: int = _AHEAD) -> Iterator[tuple[J, Any]]:
        """Yield each job with its result. Jobs and results go through pipes, so they have to be what pickle takes.

        Every process has up to ``ahead`` jobs at a time: of a few long ones it should have one.

        Raises:
            WorkerDied: a process ended.
        """
        self.start()
        if not self._connections:
            for job in jobs:
                yield job, job()
            return
        given: dict[Connection, list[J]] = {connection: [] for connection in self._connections}
        try:
            for _ in range(ahead):
                for connection, waiting in given.items():
                    self._give(connection, waiting, jobs)
            while busy := [connection for connection, waiting in given.items() if waiting]:
                for ready in wait(busy):
                    connection = cast(Connection, ready)
                    result = receive(connection)
                    job = given[connection].pop(0)
                    self._give(connection, given[connection], jobs)
                    yield job, result
        except (EOFError, ConnectionError) as error:
            raise WorkerDied from error

    @staticmethod
    def _give(connection: Connection, waiting: list[J], jobs: Iterator[J]) -> None:
        job = next(jobs, None)
        if job is not None:
            send(connection, job)
            waiting.append(job)

    def close(self) -> None:
        """End the processes. What they are at is thrown away."""
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
            process.close()
        self._connections, self._processes = [], []


def _serve(connection: Connection, others: Sequence[Connection], inherited: Sequence[int]) -> None:
    """Be a worker. ``others`` and ``inherited`` are not for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # or nobody would see these pipes close for as long as this process lives
    for descriptor in inherited:
        os.close(descriptor)
    serve(connection)
