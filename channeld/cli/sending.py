"""Uploading files: several at a time, hashed before and compared after, tried again where that is safe.

Every try is safe: the same bytes under the same name change nothing the second time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiofiles.threadpool import wrap

from channeld.cli.client import Client, path, reason_field
from channeld.cli.failures import Failure, NotNow, Refused
from channeld.cli.progress import Progress

_CHUNK: Final = 256 * 1024
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_TOLD_SECONDS: Final = 5.0  # a pause that nobody should wonder about
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send where. ``wait_seconds`` is how long to wait until all of it is live; 0 for not at all."""

    channel: str
    labels: Sequence[str]
    files: Sequence[Path]
    wait_seconds: int
    jobs: int
    retries: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file: the server's answer, or why there is none."""

    file: Path
    answer: dict[str, Any] | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. ``late`` is there when not all was live in time."""

    sent: Sequence[Sent]
    late: Failure | None


class Sender:
    """Carries a plan out."""

    def __init__(self, client: Client, plan: Plan, progress: Progress) -> None:
        self._client = client
        self._plan = plan
        self._progress = progress
        self._slots = asyncio.Semaphore(plan.jobs)

    async def run(self) -> Outcome:
        """Send every file, and wait until they are live if that is asked for.

        Raises:
            Refused: the token is no good, so that no file would be taken.
        """
        async with self._client.session() as session:
            tasks = [asyncio.create_task(self._send(session, file)) for file in self._plan.files]
            try:
                sent = await asyncio.gather(*tasks)
            except Failure:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
            late = None
            if self._plan.wait_seconds:
                late = await self._wait(session, [one.answer for one in sent if one.answer is not None])
            return Outcome(sent, late)

    async def _send(self, session: aiohttp.ClientSession, file: Path) -> Sent:
        async with self._slots:
            try:
                answer = await self._try(session, file)
            except Refused as refusal:
                if refusal.status in (401, 429):
                    raise
                return self._failed(file, refusal)
            except Failure as failure:
                return self._failed(file, failure)
        self._progress.say(f"{file.name}: {_told(answer)}")
        return Sent(file, answer, None)

    def _failed(self, file: Path, failure: Failure) -> Sent:
        self._progress.say(f"{file.name}: {failure.message} {failure.advice}".rstrip(), err=True)
        return Sent(file, None, failure)

    async def _try(self, session: aiohttp.ClientSession, file: Path) -> dict[str, Any]:
        """Send one file, again after pauses when the server cannot take it now."""
        size, sha256 = await asyncio.to_thread(_hash, file)
        pause = _FIRST_PAUSE_SECONDS
        for tries_left in reversed(range(self._plan.retries + 1)):
            with _Body(file, size, self._progress) as body:
                try:
                    return _compared(await self._put(session, file, body, sha256), sha256)
                except NotNow as trouble:
                    if body.problem is not None:
                        raise body.problem from None
                    if not tries_left:
                        raise
                    wait = max(pause, min(trouble.retry_after, _LONGEST_PAUSE_SECONDS))
                    if wait >= _TOLD_SECONDS:
                        again = f"Trying again in {wait:.0f} s."
                        self._progress.say(f"{file.name}: {trouble.message} {again}", err=True)
                except Failure:
                    self._progress.add(size - body.sent)  # nothing more of it will go out
                    raise
            self._progress.add(-body.sent)
            await _pause(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")

    async def _put(
        self, session: aiohttp.ClientSession, file: Path, body: _Body, sha256: str
    ) -> dict[str, Any]:
        query = [*(("label", label) for label in self._plan.labels), ("sha256", sha256)]
        headers = {
            "Content-Length": str(body.size),
            "Content-Type": "application/octet-stream",
            **reason_field(self._plan.reason),
        }
        where = path("channels", self._plan.channel, "files", file.name)
        answer: dict[str, Any] = await self._client.send(
            session, "PUT", where, params=query, headers=headers, data=body.chunks()
        )
        return answer

    async def _wait(self, session: aiohttp.ClientSession, answers: list[dict[str, Any]]) -> Failure | None:
        """Wait until no file waits to be published any more; return why that cannot be said."""
        # the newest change is published with everything before it: the others are then looked at once
        ordered = sorted(answers, key=lambda each: -int(each["revision"]))
        try:
            async with asyncio.timeout(self._plan.wait_seconds):
                for answer in ordered:
                    await self._wait_for(session, answer)
        except TimeoutError:
            return NotNow(
                f"Not everything is live after {self._plan.wait_seconds} seconds.",
                "All of it is stored and will be: `channeld status` shows what holds it up.",
            )
        except Failure as failure:
            return failure
        return None

    async def _wait_for(self, session: aiohttp.ClientSession, answer: dict[str, Any]) -> None:
        while True:
            if not await self._is_pending(session, answer):
                answer["live"] = True
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_pending(self, session: aiohttp.ClientSession, answer: dict[str, Any]) -> bool:
        where = path("channels", answer["channel"], "files", answer["subdir"], answer["filename"])
        state = await self._client.send(session, "GET", where, params={"sha256": answer["sha256"]})
        labels = self._plan.labels or ("main",)
        return any(place["pending"] for place in state["places"] if place["label"] in labels)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _compared(answer: dict[str, Any], sha256: str) -> dict[str, Any]:
    """Return the answer, if what the server stored is what was sent."""
    if answer["sha256"] != sha256:
        raise Failure(f"The server stored other bytes: sha256 {answer['sha256']} instead of {sha256}.")
    return answer


class _Body:
    """The bytes of a file on their way out, never more than were hashed.

    The file is open from ``with`` to its end, and not as long as somebody iterates: an answer may come before the
    last chunk has gone out.
    """

    def __init__(self, file: Path, size: int, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._stream = _open(file)
        self.size = size
        self.sent = 0
        #: Why reading the file failed: what sends the body tells it as trouble with the connection.
        self.problem: Failure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        while self.sent < self.size:
            chunk = await self._read(min(_CHUNK, self.size - self.sent))
            yield chunk
            self.sent += len(chunk)
            self._progress.add(len(chunk))

    async def _read(self, count: int) -> bytes:
        try:
            chunk: bytes = await wrap(self._stream).read(count)
        except OSError as error:
            self.problem = Failure(f"{self._file} cannot be read: {error.strerror}.")
            raise self.problem from error
        if not chunk:
            self.problem = Failure(f"{self._file} became shorter while it was sent.")
            raise self.problem
        return chunk


def _open(file: Path) -> BufferedReader:
    try:
        return file.open("rb")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error


def _hash(file: Path) -> tuple[int, str]:
    with _open(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), digest


_OUTCOMES: Final = {
    "created": "uploaded",
    "unchanged": "was there already",
    "relabelled": "was there already, and has new labels",
    "restored": "uploaded, back after its deletion",
}


def _told(answer: dict[str, Any]) -> str:
    return f"{_OUTCOMES[answer['outcome']]} ({answer['subdir']}, labels {' '.join(answer['labels'])})"
