"""A real server on a free port of 127.0.0.1, and a client that shows every byte that it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channeld.web.bodies import defer_continue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Fields that say nothing about the answer itself.
_PASSING = frozenset({"date", "server", "connection"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as it came over the wire."""

    status: int
    fields: dict[str, str]
    body: bytes


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[int]:
    """Serve every path and method with one handler; yields the port."""
    app = web.Application(middlewares=options.pop("middlewares", ()))
    app.router.add_route("*", "/{path:.*}", handler, expect_handler=defer_continue)
    defaults = {"access_log": None, "auto_decompress": False, "shutdown_timeout": 1}
    runner = web.AppRunner(app, **{**defaults, **options})
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(
    port: int, limit: int = 2**24
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, and close it whatever state it is in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(method: str, path: str, fields: Mapping[str, str] | None = None) -> bytes:
    """Write the header section of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *(f"{k}: {v}" for k, v in (fields or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(port: int, method: str, path: str = "/", fields: Mapping[str, str] | None = None) -> Answer:
    """Send one request without a body and return the whole answer."""
    async with connected(port) as (reader, writer):
        writer.write(head(method, path, {"Connection": "close", **(fields or {})}))
        return divided(await reader.read())


def divided(raw: bytes) -> Answer:
    """Divide an answer into its parts; ``body`` is all that follows the header section."""
    section, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = section.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines), "a field came twice"
    kept = {name: value for name, value in fields.items() if name.lower() not in _PASSING}
    return Answer(int(status.split(" ")[1]), kept, body)


async def say(port: int, request: bytes) -> Answer:
    """Send these very bytes and return the whole answer; the request says ``Connection: close``."""
    async with connected(port) as (reader, writer):
        writer.write(request)
        return divided(await reader.read())
