"""What worker processes do: jobs, which come through a pipe. A job is a call without arguments that pickle takes."""

from __future__ import annotations

import os
import pickle
import signal
from multiprocessing.connection import Connection
from typing import Any, NoReturn


def send(connection: Connection, job: Any) -> None:
    """Give away a job; raises ``ConnectionError`` where nobody takes it."""
    connection.send_bytes(pickle.dumps(job, 5))


def receive(connection: Connection) -> Any:
    """Return the result of the oldest job given away, or raise its error; ``EOFError`` where none will come."""
    result = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own process
    if isinstance(result, BaseException):
        raise result
    return result


def serve(connection: Connection) -> NoReturn:
    """Do one job after another, until the other end of the pipe closes: when the process that gives them ends, at last.

    Ctrl-C, which reaches a whole group of processes, is for that one to decide upon.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        while True:
            job = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own process
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - raised again where the job came from
                result = error
            connection.send_bytes(pickle.dumps(result, 5))
    except (EOFError, ConnectionError):
        os._exit(0)
