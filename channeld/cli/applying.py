"""Applying files of requests: all of them rehearsed first, then done one after the other."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import click

from channeld.cli.client import Client, reason_field
from channeld.cli.failures import Failure, Refused
from channeld.cli.requestfiles import RequestFile

#: What a token may not go to: whoever reads a log would have it.
_SECRET: Final = "tokens"  # noqa: S105 - the name of a field


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to apply. ``channel`` is for requests that name none."""

    channel: str = ""
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What the server made of a file. Without entries it was refused as a whole, as ``refusal`` says."""

    file: RequestFile
    answer: dict[str, Any] = field(repr=False)
    refusal: str = ""

    @property
    def refused(self) -> bool:
        return bool(self.refusal) or self.answer["outcome"] == "refused"

    def as_json(self) -> dict[str, Any]:
        """Return it for programs, without secrets."""
        told = {key: value for key, value in self.answer.items() if key != _SECRET}
        error = {"error": self.refusal} if self.refusal else {}
        return {"file": str(self.file.path), **told, **error}


class Keeps(Protocol):
    """Keeps new tokens."""

    def __call__(self, answer: dict[str, Any]) -> None: ...


def rehearse(client: Client, files: Sequence[RequestFile], order: Order) -> list[Result]:
    """Say what would become of each file.

    Raises:
        Refused: the token is no good, so that nothing would be done.
        NotNow: the server cannot be reached, or cannot do it now.
    """
    return [_send(client, file, order, dry_run=True) for file in files]


def apply(
    client: Client, files: Sequence[RequestFile], order: Order, keep_tokens: Keeps
) -> tuple[list[Result], Failure | None]:
    """Do what the files say; return what became of them, and what kept the last ones from being done."""
    results: list[Result] = []
    for file in files:
        try:
            result = _send(client, file, order, dry_run=False)
        except Failure as failure:
            return results, failure
        results.append(result)
        if result.answer.get(_SECRET):
            try:
                keep_tokens(result.answer)
            except OSError as error:
                text = f"The new tokens of {file.path} could not be kept: {error.strerror}."
                return results, Failure(text, "Reset them again.")
    return results, None


def _send(client: Client, file: RequestFile, order: Order, *, dry_run: bool) -> Result:
    query = {"dry_run": "true" if dry_run else "false"}
    if order.channel:
        query["channel"] = order.channel
    headers = {"Content-Type": file.media_type, **reason_field(order.reason or file.path.name)}
    try:
        return Result(file, asyncio.run(_post(client, file.data, query, headers)))
    except Refused as refusal:
        if refusal.status in (401, 429):
            raise
        told = refusal.message if refusal.code != "request_refused" else ""
        return Result(file, _of_refusal(file, refusal, order), told)


async def _post(
    client: Client, data: bytes, query: dict[str, str], headers: dict[str, str]
) -> dict[str, Any]:
    async with client.session() as session:
        answer: dict[str, Any] = await client.send(
            session, "POST", "/requests", data=data, params=query, headers=headers
        )
        return answer


def _of_refusal(file: RequestFile, refusal: Refused, order: Order) -> dict[str, Any]:
    """Return a refusal in the form of an answer."""
    return {
        "channel": refusal.data.get("channel", file.request.channel or order.channel),
        "action": file.request.action.value,
        "outcome": "refused",
        "entries": refusal.data.get("entries", []) if refusal.code == "request_refused" else [],
        "revision": 0,
        "dry_run": order.dry_run,
    }


@contextmanager
def token_file(path: Path | None) -> Iterator[Keeps]:
    """Open a new file that only its owner reads, and keep tokens in it, one JSON object a line.

    What is in it is safe before the next request is applied. A file into which nothing came is removed.

    Raises:
        Failure: it is there already, or cannot be made.
    """
    if path is None:
        yield _nowhere
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(f"{path} is there already.", "Name a new file: its tokens would be lost.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:

        def keep(answer: dict[str, Any]) -> None:
            stream.writelines(
                json.dumps({"channel": answer["channel"], **token}) + "\n" for token in answer[_SECRET]
            )
            stream.flush()
            os.fsync(descriptor)

        try:
            yield keep
        finally:
            if not stream.tell():
                path.unlink()


def _nowhere(answer: dict[str, Any]) -> None:
    raise click.ClickException("The server made tokens that nobody asked for.")
