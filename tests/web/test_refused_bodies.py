"""A client whose body is refused reads its answer, however it goes about sending and reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from aiohttp import web

from channeld.web.bodies import discard, refuse
from tests.support.edge import Answer, Handler, connected, divided, head, serving

MIB = 1024 * 1024
ANSWER = Answer(401, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "2"}, b"no")


def refusing(max_bytes: int = 256 * MIB, max_seconds: float = 60.0) -> Handler:
    """Refuse everything."""

    async def handler(request: web.Request) -> web.Response:
        return await refuse(request, web.Response(status=401, text="no"), max_bytes, max_seconds)

    return handler


async def send_for_ever(writer: asyncio.StreamWriter, data: bytes, pause: float) -> None:
    """Send the same bytes again and again, with a pause in seconds after each time."""
    async with asyncio.timeout(20):
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(pause)


@pytest.mark.parametrize(
    "fields", [{"Content-Length": str(32 * MIB)}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunked"]
)
async def test_a_client_that_reads_only_after_sending_everything_gets_the_answer(
    fields: Mapping[str, str],
) -> None:
    chunked = "Transfer-Encoding" in fields
    async with serving(refusing()) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", fields))
        for _ in range(32):
            writer.write(b"%x\r\n%s\r\n" % (MIB, bytes(MIB)) if chunked else bytes(MIB))
            await writer.drain()
        writer.write(b"0\r\n\r\n" if chunked else b"")
        answer = divided(await reader.read())

    assert answer == ANSWER


async def test_a_client_that_is_slower_than_aiohttp_is_patient_gets_the_answer() -> None:
    async with (
        serving(refusing(), lingering_time=0.1) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(head("PUT", "/", {"Content-Length": "60"}))
        for _ in range(6):
            await asyncio.sleep(0.1)
            writer.write(bytes(10))
            await writer.drain()
        answer = divided(await reader.read())

    assert answer == ANSWER


async def test_a_client_that_reads_at_once_has_the_answer_before_it_has_sent_anything() -> None:
    async with serving(refusing()) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": str(1024 * MIB)}))
        async with asyncio.timeout(5):
            raw = await reader.read()

    assert divided(raw) == ANSWER
    assert b"Connection: close" in raw


async def test_a_client_that_leaves_is_not_waited_for() -> None:
    returned = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        response = await refuse(request, web.Response(status=401, text="no"))
        returned.set()
        return response

    async with serving(handler) as port:
        async with connected(port) as (reader, writer):
            writer.write(head("PUT", "/", {"Content-Length": "1000"}))
            await reader.readexactly(1)
        async with asyncio.timeout(5):
            await returned.wait()


async def test_a_client_that_sends_too_much_is_cut_off() -> None:
    async with serving(refusing(max_bytes=MIB)) as port, connected(port) as (_, writer):
        writer.write(head("PUT", "/", {"Content-Length": str(1024 * MIB)}))
        with pytest.raises(ConnectionError):
            await send_for_ever(writer, bytes(MIB), pause=0)


async def test_a_client_that_sends_for_too_long_is_cut_off_and_aiohttp_waits_no_longer() -> None:
    async with serving(refusing(max_seconds=0.3)) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": "1000000"}))
        answer = divided(await reader.read())
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            await send_for_ever(writer, b"x", pause=0.05)

    assert answer == ANSWER
    assert time.monotonic() - began < 2


async def test_without_a_body_on_its_way_the_connection_goes_on() -> None:
    async with serving(refusing()) as port, connected(port) as (reader, writer):
        answers = []
        for body in (b"", b"hello"):
            writer.write(head("PUT", "/", {"Content-Length": str(len(body))}) + body)
            raw = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)
            answers.append(divided(raw))
            assert b"Connection: close" not in raw

    assert answers == [ANSWER, ANSWER]


async def test_a_body_that_cannot_be_decoded_is_discarded_like_any_other() -> None:
    async with (
        serving(refusing(), auto_decompress=True) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(head("PUT", "/", {"Content-Length": "1000", "Content-Encoding": "gzip"}))
        await asyncio.sleep(0.1)
        writer.write(bytes(1000))
        answer = divided(await reader.read())

    assert answer == ANSWER


@pytest.mark.parametrize(
    ("sent", "max_bytes", "max_seconds", "ended"),
    [(1000, 1000, 5.0, True), (1000, 999, 5.0, False), (999, 1000, 0.2, False)],
    ids=["whole", "too much", "too slow"],
)
async def test_discard_says_whether_the_body_ended(
    sent: int, max_bytes: int, max_seconds: float, ended: bool
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(await discard(request, max_bytes, max_seconds)))

    async with serving(handler, lingering_time=0) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {"Content-Length": "1000", "Connection": "close"}))
        await asyncio.sleep(0.05)
        writer.write(bytes(sent))
        answer = divided(await reader.read())

    assert answer.body == str(ended).encode()
