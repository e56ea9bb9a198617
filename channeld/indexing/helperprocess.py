"""Another process, to which functions can be handed as to any other executor.

Own code, since one of the standard library runs the main module of this process once more in its own (a server's, or
whatever program it is part of), starts a third process beside it, and stays behind when this one is killed.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final, ParamSpec, TypeVar

from channeld import jobs

P = ParamSpec("P")
T = TypeVar("T")

#: With the number of the pipe, and where modules are found.
_PROGRAM: Final = (
    "import sys; _, pipe, *sys.path = sys.argv; from channeld.indexing import helperprocess as helper; "
    "helper.serve(int(pipe))"
)


class HelperProcess(Executor):
    """One process, which does one call after another. It ends with ``shutdown``, or when this process ends."""

    def __init__(self) -> None:
        """Start it; raises ``OSError`` where that cannot be done."""
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *map(str, sys.path)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="helper")

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand in a call of a function of a module. Its future raises ``BrokenExecutor`` if the process has ended."""
        return self._thread.submit(self._call, partial(function, *args, **kwargs))

    def _call(self, job: Callable[[], T]) -> T:
        try:
            jobs.send(self._connection, job)
            result: T = jobs.receive(self._connection)
        except (EOFError, ConnectionError) as error:
            raise BrokenExecutor("the helper process ended") from error
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have the process end after the calls it was given, or the one it is at."""
        self._thread.shutdown(wait, cancel_futures=cancel_futures)
        self._connection.close()
        if wait:
            self._process.wait()


def serve(pipe: int) -> None:
    """Be the helper at the other end of a pipe."""
    gc.freeze()
    jobs.serve(Connection(pipe))
