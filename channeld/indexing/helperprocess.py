"""Another process, to which functions can be handed as to any other executor.

Own code, since one of the standard library runs the main module of this process once more in its own (a server's, or
whatever program it is part of), starts a third process beside it, and stays behind when this one is killed.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final, ParamSpec, TypeVar

from channeld import __version__, jobs

P = ParamSpec("P")
T = TypeVar("T")

#: With the number of the pipe, our version, and where modules are found. Where a signal reaches all processes of a
#: service, whoever made this one decides when it ends.
_PROGRAM: Final = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); _, pipe, version, *sys.path = sys.argv; "
    "from channeld.indexing import helperprocess; helperprocess.serve(int(pipe), version)"
)


class HelperProcess(Executor):
    """One process, which does one call after another. It ends with ``shutdown``, or when this process ends."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: that cannot be done.
        """
        if not sys.executable:
            raise OSError("it is not known where Python is")
        self._connection, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    [*_interpreter(), "-c", _PROGRAM, str(theirs.fileno()), __version__, *map(str, sys.path)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # Ctrl-C is not for it
                )
            except BaseException:
                self._connection.close()
                raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="helper")
        self._has_ended = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand in a call of a function of a module.

        Raises:
            BrokenExecutor: the process has ended; the future raises it too.
        """
        if self._has_ended:
            raise BrokenExecutor("the helper process ended")
        try:
            return self._thread.submit(self._call, partial(function, *args, **kwargs))
        except RuntimeError as error:  # no thread can be started
            raise BrokenExecutor(str(error)) from error

    def _call(self, job: Callable[[], T]) -> T:
        try:
            jobs.send(self._connection, job)
            result: T = jobs.receive(self._connection)
        except (EOFError, ConnectionError) as error:
            self._has_ended = True
            raise BrokenExecutor("the helper process ended") from error
        return result

    def kill(self) -> None:
        """End the process at once: it does not answer, or its answer is not needed. Calls raise ``BrokenExecutor``."""
        self._has_ended = True
        self._process.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have the process end: after the calls that were handed in, or at once when they are given up."""
        if cancel_futures:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self.kill()
            self._thread.shutdown()
            self._close()
        else:
            self._thread.submit(self._close)
            self._thread.shutdown(wait)

    def _close(self) -> None:
        self._has_ended = True
        self._connection.close()
        self._process.wait()


def _interpreter() -> list[str]:
    """Return how Python is started: with nothing of the environment or the current folder."""
    return [sys.executable, "-I", *(["-B"] if sys.dont_write_bytecode else [])]


def serve(pipe: int, version: str) -> None:
    """Be the helper at the other end of a pipe, for a process of this version."""
    if version != __version__:
        sys.exit(f"A helper process is channeld {__version__}, but channeld {version} runs: restart it.")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(pipe, False)
    gc.freeze()
    jobs.serve(Connection(pipe))
