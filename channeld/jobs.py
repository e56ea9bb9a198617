"""What worker processes do: jobs, which come through a pipe. A job is a call without arguments that pickle takes."""

from __future__ import annotations

import os
import pickle
from multiprocessing.connection import Connection
from typing import Any, NoReturn


class JobFailed(Exception):
    """Stands for an error, or a result, that cannot be sent to another process."""


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def send(connection: Connection, job: Any) -> None:
    """Give away a job.

    Raises:
        ConnectionError: nobody takes it.
    """
    connection.send_bytes(pickle.dumps(job, 5))


def receive(connection: Connection) -> Any:
    """Return the result of the oldest job given away, or raise its error.

    Raises:
        EOFError: none will come.
    """
    result = pickle.loads(_message(connection))  # noqa: S301 - from our own process
    if isinstance(result, BaseException):
        raise result
    return result


def serve(connection: Connection) -> NoReturn:
    """Do one job after another, until the other end of the pipe closes: at the latest when the other process ends.

    Then this process ends.
    """
    try:
        while True:
            job = pickle.loads(_message(connection))  # noqa: S301 - from our own process
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - raised again where the job came from
                result = error
            connection.send_bytes(_sendable(result))
    except (EOFError, ConnectionError):
        os._exit(0)


def _message(connection: Connection) -> bytes:
    try:
        return connection.recv_bytes()
    except OSError as error:  # broken, or broken off in the middle
        raise EOFError(str(error)) from error


def _sendable(result: Any) -> bytes:
    try:
        data = pickle.dumps(result, 5)
        if isinstance(result, BaseException):
            pickle.loads(data)  # noqa: S301 - many errors are made of something else than what they were given
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer has to be one
        return pickle.dumps(JobFailed(f"{result!r:.500} ({error!r})"), 5)
    return data
