"""A body is read whole, or refused with the rule that it breaks."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

import pytest
from aiohttp import web

from channeld.errors import Rejected
from channeld.web.bodies import check_announced, read_body
from channeld.web.rejections import BodyCutShort, BodyEncoded, BodyStalled, BodyTooLarge
from tests.support.edge import Answer, connected, divided, head, serving

LIMIT = 1000


class Reader:
    """A handler that reads bodies of up to 1000 bytes, and keeps what became of them."""

    def __init__(self, stall_seconds: float = 5.0) -> None:
        self.stall_seconds = stall_seconds
        self.read = b""
        self.outcome: asyncio.Future[bytes | Rejected] = asyncio.get_running_loop().create_future()

    async def answer(self, request: web.Request) -> web.Response:
        """Read the body."""
        try:
            async for chunk in read_body(request, LIMIT, self.stall_seconds):
                self.read += chunk
        except Rejected as rejected:
            self.outcome.set_result(rejected)
            return web.Response(status=400, text=str(rejected))
        self.outcome.set_result(self.read)
        return web.Response(text="read")


async def sent(fields: Mapping[str, str], *parts: bytes) -> tuple[bytes | Rejected, Answer]:
    """Send a body in parts, a moment apart, and return what the handler and the client saw."""
    reading = Reader()
    async with (
        serving(reading.answer, lingering_time=0.2) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(head("PUT", "/", {"Connection": "close", **fields}))
        for part in parts:
            await asyncio.sleep(0.05)
            writer.write(part)
        return await reading.outcome, divided(await reader.read())


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"Content-Length": "0"}, ()),
        ({}, ()),
        ({"Content-Length": "10"}, (b"01234", b"56789")),
        ({"Content-Length": "1000"}, (bytes(999), b"x")),
        ({"Content-Length": "2", "Content-Encoding": "identity"}, (b"ab",)),
        ({"Content-Length": "2", "Content-Encoding": " Identity"}, (b"ab",)),
    ],
    ids=["empty", "none", "two parts", "at the limit", "identity", "identity in other letters"],
)
async def test_a_body_of_announced_length_is_read_whole(
    fields: dict[str, str], parts: tuple[bytes, ...]
) -> None:
    outcome, answer = await sent(fields, *parts)

    assert outcome == b"".join(parts)
    assert (answer.status, answer.body) == (200, b"read")


async def test_a_chunked_body_is_read_whole() -> None:
    outcome, answer = await sent(
        {"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n", b"0\r\n\r\n"
    )

    assert outcome == b"abcde"
    assert answer.status == 200


async def test_an_announced_length_over_the_limit_is_refused_unread() -> None:
    outcome, answer = await sent({"Content-Length": "1001"})

    assert isinstance(outcome, BodyTooLarge)
    assert outcome.detail() == {"limit": 1000}
    assert answer.body == (
        b"The body of the request is larger than 1000 bytes. "
        b"Ask the operator of the server to raise the limit if a file has to be this large."
    )


async def test_a_chunked_body_over_the_limit_is_refused_when_it_gets_there() -> None:
    outcome, _ = await sent(
        {"Transfer-Encoding": "chunked"}, b"3e8\r\n%s\r\n" % bytes(1000), b"1\r\nx\r\n0\r\n\r\n"
    )

    assert isinstance(outcome, BodyTooLarge)


@pytest.mark.parametrize(
    "coding", ["gzip", "zstd", "br", "deflate", "identity, gzip", "GZIP", "x", "aws-chunked"]
)
async def test_an_encoded_body_is_refused(coding: str) -> None:
    outcome, answer = await sent({"Content-Length": "2", "Content-Encoding": coding}, b"ab")

    assert isinstance(outcome, BodyEncoded)
    assert outcome.detail() == {"coding": coding}
    assert answer.body.decode() == (
        f"The body of the request is sent with the encoding {coding!r}. Send the file as it is: "
        "packages are compressed already, and their hash is taken of the bytes as sent."
    )


async def test_a_transfer_coding_beyond_chunked_is_refused() -> None:
    outcome, _ = await sent({"Transfer-Encoding": "gzip, chunked"}, b"2\r\nab\r\n0\r\n\r\n")

    assert isinstance(outcome, BodyEncoded)
    assert outcome.detail() == {"coding": "gzip, chunked"}


@pytest.mark.parametrize("ending", ["close", "reset", "half"])
@pytest.mark.parametrize(
    ("fields", "data", "expected"),
    [({"Content-Length": "10"}, b"abc", 10), ({"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n", None)],
    ids=["length", "chunked"],
)
async def test_a_body_that_breaks_off_is_no_body(
    ending: str, fields: dict[str, str], data: bytes, expected: int | None
) -> None:
    reading = Reader()
    async with serving(reading.answer) as port, connected(port) as (_, writer):
        writer.write(head("PUT", "/", fields) + data)
        await asyncio.sleep(0.1)
        if ending == "reset":
            client: socket.socket = writer.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write_eof() if ending == "half" else writer.transport.abort()
        async with asyncio.timeout(5):
            outcome = await reading.outcome

    assert reading.read == b"abc"
    assert isinstance(outcome, BodyCutShort)
    assert outcome.detail() == {"received": 3, "expected": expected}


async def test_a_client_that_left_before_the_body_was_read_has_sent_no_body() -> None:
    started, left = asyncio.Event(), asyncio.Event()
    reading = Reader()

    async def handler(request: web.Request) -> web.Response:
        started.set()
        await left.wait()
        await asyncio.sleep(0.1)
        return await reading.answer(request)

    async with serving(handler) as port:
        async with connected(port) as (_, writer):
            writer.write(head("PUT", "/", {"Content-Length": "10"}) + b"abc")
            await started.wait()
        left.set()
        async with asyncio.timeout(5):
            outcome = await reading.outcome

    assert isinstance(outcome, BodyCutShort)
    assert outcome.detail() == {"received": 0, "expected": 10}


@pytest.mark.parametrize("data", [b"abc", b""])
async def test_a_client_that_falls_silent_is_not_waited_for_for_ever(data: bytes) -> None:
    reading = Reader(stall_seconds=0.2)
    async with serving(reading.answer, lingering_time=0) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": "10"}) + data)
        answer = divided(await reader.read())

    outcome = reading.outcome.result()
    assert isinstance(outcome, BodyStalled)
    assert outcome.detail() == {"received": len(data), "seconds": 0.2}
    assert answer.body.decode() == (
        f"After {len(data)} bytes of the body nothing came for 0.2 seconds. Send the request again."
    )


async def test_a_client_may_be_slow_as_long_as_it_goes_on() -> None:
    reading = Reader(stall_seconds=0.2)
    async with serving(reading.answer) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": "6", "Connection": "close"}))
        for _ in range(6):
            await asyncio.sleep(0.08)
            writer.write(b"x")
        answer = divided(await reader.read())

    assert answer.status == 200
    assert reading.read == b"xxxxxx"


async def test_a_malformed_chunk_is_a_stalled_body(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reader(stall_seconds=0.2)
    async with serving(reading.answer) as port, connected(port) as (_, writer):
        writer.write(head("PUT", "/", {"Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"no number\r\n")
        async with asyncio.timeout(5):
            outcome = await reading.outcome

    assert isinstance(outcome, BodyStalled)


async def test_what_is_announced_can_be_judged_before_the_body_is_asked_for() -> None:
    async def handler(request: web.Request) -> web.Response:
        check_announced(request, 5)
        return web.Response()

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": "5"}) + b"hello")
        answer = divided(await reader.readuntil(b"\r\n\r\n"))

    assert answer.status == 200


@pytest.mark.parametrize(
    ("rejection", "sentence"),
    [
        (
            BodyCutShort(3, 10),
            "The body of the request broke off after 3 of 10 bytes. Send the request again.",
        ),
        (
            BodyCutShort(3, None),
            "The body of the request broke off after 3 bytes, without its last chunk. Send the request again.",
        ),
    ],
)
def test_a_broken_body_says_where_it_broke(rejection: Rejected, sentence: str) -> None:
    assert str(rejection) == sentence
