"""One attempt to deliver: a request, and what its answer means.

Only the status of the answer counts; its body is not read. Redirects are not followed: the receiver is the one whose
URL was given.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

_GONE: Final = 410
_SECONDS: Final = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. ``problem`` is a sentence, empty when the receiver took the message."""

    problem: str = ""
    #: The receiver wants nothing more, ever (RFC 9110, 15.5.11).
    gone: bool = False
    #: The pause that the receiver asked for, seconds.
    asked_seconds: float = 0.0


async def send(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send a message once; whatever happens is an answer."""
    fields = {"Content-Type": "application/json", **headers}
    try:
        async with session.post(url, data=body, headers=fields, allow_redirects=False) as response:
            return answer_of(response.status, response.headers.get("Retry-After", ""))
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
        return Answer(problem_of(error))


def answer_of(status: int, retry_after: str) -> Answer:
    """Say what a status means."""
    if 200 <= status < 300:
        return Answer()
    try:
        words = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        words = str(status)
    asked = float(retry_after) if _SECONDS.fullmatch(retry_after) else 0.0
    return Answer(f"It answered {words}.", gone=status == _GONE, asked_seconds=asked)


#: What kinds of trouble mean; the first that fits counts.
_PROBLEMS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "It took too long to answer."),
    (aiohttp.ClientConnectorDNSError, "Its name cannot be resolved."),
    (UnicodeError, "Its name cannot be resolved."),
    (aiohttp.ClientSSLError, "Its certificate or its TLS is not acceptable."),
    (aiohttp.ServerDisconnectedError, "It closed the connection without an answer."),
    (aiohttp.ClientPayloadError, "It answered with something that is not HTTP."),
    (aiohttp.ClientResponseError, "It answered with something that is not HTTP."),
    (ConnectionError, "It closed the connection without an answer."),
)


def problem_of(error: Exception) -> str:
    """Say in a sentence why there was no answer. What the receiver sent is not repeated."""
    for kind, words in _PROBLEMS:
        if isinstance(error, kind):
            return words
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"It cannot be reached: {_cause_of(error.os_error)}."
    return f"The request failed: {type(error).__name__}."


def _cause_of(error: OSError) -> str:
    """Say why no connection came about. asyncio puts a text of its own, with the address, in place of the system's."""
    if error.errno in (None, errno.EACCES):  # the latter is ours (see ``connecting``)
        return error.strerror or str(error)
    return os.strerror(error.errno)
