"""The client of the native API that the commands use: JSON out and in, errors told as the server tells them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from channeld import __version__
from channeld.cli.connection import Target
from channeld.cli.failures import Failure, NotNow, Refused

_CONNECT_SECONDS: Final = 15.0
#: Longer than the server lets a request wait.
_SILENCE_SECONDS: Final = 120.0
_SHOWN_CHARACTERS: Final = 300
#: What to do about a refusal where the server speaks to programs, and a person has other means: by its code.
_ADVICE: Final = {
    "token_required": "Put one into the variable CHANNELD_TOKEN, or name the file that holds it with --token-file.",
    "channel_not_empty": "Delete its files first, or have everything in it deleted with --force.",
}

Query = Mapping[str, str | int | None]


class Client:
    """Talks to one server."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def ask(
        self, method: str, path: str, body: Any = None, query: Query | None = None, reason: str = ""
    ) -> Any:
        """Send one request below ``/api/v1`` and return the value that it is answered with.

        Raises:
            Refused, Failure: the server refuses, or is no channeld.
            NotNow: it cannot be reached, or cannot do it now.
        """
        return asyncio.run(self._ask_once(method, path, body, query or {}, reason))

    async def _ask_once(self, method: str, path: str, body: Any, query: Query, reason: str) -> Any:
        async with self.session() as session:
            headers = reason_field(reason)
            params = {name: str(value) for name, value in query.items() if value is not None}
            return await self.send(session, method, path, json=body, params=params, headers=headers)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open connections for several requests."""
        headers = {"User-Agent": f"channeld/{__version__}"}
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, trust_env=True, json_serialize=_json
        ) as session:
            yield session

    async def send(self, session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> Any:
        """Send a request; raises as ``ask`` does."""
        url = f"{self.target.url}/api/v1{path}"
        try:
            async with session.request(method, url, allow_redirects=False, **options) as response:
                data = await response.read()
                return _value(response.status, response.headers, data, url)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotNow(
                f"The server {self.target.url} cannot be reached: {_reason(error)}.",
                "Check the URL (--server or CHANNELD_URL) and that the server runs.",
            ) from error


def reason_field(reason: str) -> dict[str, str]:
    """Return the header field for a reason, which has to stay on one line."""
    line = " ".join(reason.split())
    return {"X-Reason": line} if line else {}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        # asyncio puts a text of its own in the place of the system's
        number = error.os_error.errno
        return os.strerror(number) if number else str(error.os_error)
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return str(error).rstrip(".") or type(error).__name__


def _value(status: int, headers: Mapping[str, str], data: bytes, url: str) -> Any:
    """Return what a good answer says; raise what a bad one does."""
    kind = headers.get("Content-Type", "").partition(";")[0]
    if 200 <= status < 300:
        if kind == "application/json":
            return orjson.loads(data)
        if not data:
            return None
        raise Failure(f"{url} answered something that is not channeld's.", "Check the URL of the server.")
    if kind == "application/problem+json":
        problem = orjson.loads(data)
        if status == 503:
            raise NotNow(problem["title"], problem["detail"], _seconds(headers))
        advice = _ADVICE.get(problem["code"], problem["detail"])
        raise Refused(problem["title"], advice, status, problem["code"], problem.get("data"))
    if status in (502, 503, 504):
        sentence = f"What stands in front of the server answered {status}."
        raise NotNow(sentence, "Try again shortly.", _seconds(headers))
    if 300 <= status < 400:
        raise Failure(
            f"{url} redirects to {headers.get('Location', 'nowhere')}.", "Name that server with --server."
        )
    text = data.decode("utf-8", "replace").strip()[:_SHOWN_CHARACTERS]
    raise Failure(f"{url} answered {status}: {text or 'nothing'}", "Check the URL of the server.")


def _seconds(headers: Mapping[str, str]) -> float:
    """Return what ``Retry-After`` says, 0 where it says nothing or names a date."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def path(*parts: str) -> str:
    """Join the parts of a path, each encoded: none of them can become another path."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)
