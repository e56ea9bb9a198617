"""Bodies that are made on the way: their errors, their length, their pace."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from channeld.errors import Unavailable
from channeld.web.representation import Representation, StreamBody
from channeld.web.responder import respond
from tests.support.edge import Handler, ask, connected, divided, head, serving

MIB = 1024 * 1024


@dataclass(eq=False)
class StoreIsDown(Unavailable):
    def sentence(self) -> str:
        return "The store is down."


class Source:
    """A stream of zeros that remembers how far it came, and may fail there."""

    def __init__(self, size: int, *, fails_at: int | None = None, gives: int | None = None) -> None:
        self.size = size
        self.fails_at = fails_at
        self.gives = size if gives is None else gives
        self.made = 0
        self.closed = asyncio.Event()

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield the range in chunks of 64 KiB."""
        try:
            left = stop - start - self.size + self.gives
            while left > 0:
                if self.fails_at is not None and self.made >= self.fails_at:
                    raise StoreIsDown
                size = min(65536, left)
                self.made += size
                left -= size
                yield bytes(size)
        finally:
            self.closed.set()


def handler_of(source: Source) -> Handler:
    """Answer with the stream; what is unavailable is 503."""
    representation = Representation(
        etag='"v1"',
        last_modified=784111777,
        content_type="application/json",
        size=source.size,
        body=StreamBody(source.read),
        cache_control="public, max-age=60",
    )

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await respond(request, representation)
        except Unavailable as unavailable:
            return web.Response(status=503, text=str(unavailable))

    return handler


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator would be told."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("size", [10, 4 * MIB])
async def test_a_stream_that_fails_at_its_start_is_an_answer(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(size, fails_at=0)

    async with serving(handler_of(source)) as port:
        answer = await ask(port, "GET")

    assert (answer.status, answer.body) == (503, b"The store is down.")
    assert source.closed.is_set()
    assert errors(caplog) == []


async def test_a_stream_that_fails_later_ends_the_connection_and_writes_nothing_into_the_body(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(4 * MIB, fails_at=MIB)

    async with serving(handler_of(source)) as port, connected(port) as (reader, writer):
        writer.write(head("GET", "/"))
        answer = divided(await reader.read())

    assert answer.status == 200
    assert answer.fields["Content-Length"] == str(4 * MIB)
    assert answer.body == bytes(MIB)
    assert source.closed.is_set()
    assert errors(caplog) == ["A body broke off"]


@pytest.mark.parametrize("size", [10, 1000])
async def test_a_small_stream_of_another_length_is_an_answer(size: int) -> None:
    async with serving(handler_of(Source(size, gives=9))) as port:
        answer = await ask(port, "GET")

    assert (answer.status, answer.body) == (
        503,
        f"Of {size} stored bytes only 9 are there. Try again later; the operator has to restore the file.".encode(),
    )


async def test_a_stream_that_is_too_short_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        serving(handler_of(Source(4 * MIB, gives=3 * MIB))) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(head("GET", "/"))
        answer = divided(await reader.read())

    assert answer.body == bytes(3 * MIB)
    assert errors(caplog) == ["A body had another length than was promised"]


async def test_a_stream_that_is_too_long_sends_what_was_promised(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        serving(handler_of(Source(4 * MIB, gives=5 * MIB))) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(head("GET", "/"))
        answer = divided(await reader.read())

    assert answer.body == bytes(4 * MIB)
    assert errors(caplog) == ["A body had another length than was promised"]


async def test_a_stream_waits_for_a_client_that_does_not_read() -> None:
    source = Source(256 * MIB)

    async with serving(handler_of(source)) as port:
        client = socket.create_connection(("127.0.0.1", port))
        try:
            client.sendall(head("GET", "/"))
            before = -1
            while source.made != before:
                before = source.made
                await asyncio.sleep(0.2)
            # What fits into the buffers of the kernel, and no more.
            assert 0 < source.made < 32 * MIB
            assert not source.closed.is_set()
        finally:
            client.close()
        async with asyncio.timeout(10):
            await source.closed.wait()
