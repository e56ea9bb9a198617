"""Receivers of webhooks: real servers on 127.0.0.1 that behave as a test says, and remember what came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """One request as it came."""

    id: str
    timestamp: int
    signature: str
    raw: bytes
    headers: dict[str, str] = field(repr=False)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def sequence(self) -> int:
        return int(self.body["sequence"])


Behaviour = Callable[[Message], Awaitable[web.StreamResponse]]


async def take(_message: Message) -> web.StreamResponse:
    """Say yes."""
    return web.Response(status=204)


def answering(*statuses: int) -> Behaviour:
    """Answer with one status after the other; with the last one for ever."""
    left = list(statuses)

    async def answer(_message: Message) -> web.StreamResponse:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

    return answer


@dataclass(slots=True)
class Receiver:
    """What came to one server, in order."""

    url: str
    behaviour: Behaviour
    messages: list[Message] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]

    @property
    def bodies(self) -> list[Any]:
        return [message.body for message in self.messages]

    async def got(self, count: int) -> list[Message]:
        """Wait until so many messages have come, and return them."""
        for _ in range(round(_PATIENCE_SECONDS / 0.005)):
            if len(self.messages) >= count:
                return self.messages
            await asyncio.sleep(0.005)
        raise AssertionError(f"{len(self.messages)} of {count} messages came in {_PATIENCE_SECONDS} s")


@asynccontextmanager
async def receiving(behaviour: Behaviour = take) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver("", behaviour)

    async def receive(request: web.Request) -> web.StreamResponse:
        message = Message(
            id=request.headers["webhook-id"],
            timestamp=int(request.headers["webhook-timestamp"]),
            signature=request.headers["webhook-signature"],
            raw=await request.read(),
            headers=dict(request.headers),
        )
        receiver.messages.append(message)
        return await receiver.behaviour(message)

    app = web.Application()
    app.router.add_post("/{path:.*}", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_receiving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Run a server that is not bound to HTTP; yield its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
