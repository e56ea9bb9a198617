"""``Expect: 100-continue`` is answered by the handler, when it wants the body (RFC 9110, section 10.1.1)."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from channeld.web.bodies import refuse, send_continue
from tests.support.edge import Answer, connected, divided, head, serving

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTING = {"Expect": "100-continue", "Content-Length": "5", "Connection": "close"}


async def take(request: web.Request) -> web.Response:
    """Want the body."""
    await send_continue(request)
    return web.Response(body=await request.read())


async def test_the_body_is_asked_for_once_and_then_taken() -> None:
    async with serving(take) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING))
        asked = await reader.readexactly(len(CONTINUE))
        writer.write(b"hello")
        answer = divided(await reader.read())

    assert asked == CONTINUE
    assert (answer.status, answer.body) == (200, b"hello")


async def test_the_name_of_the_expectation_has_no_case() -> None:
    async with serving(take) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {**EXPECTING, "Expect": "100-Continue"}))

        assert await reader.readexactly(len(CONTINUE)) == CONTINUE


async def test_nothing_is_said_before_the_handler_says_so() -> None:
    decide = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await decide.wait()
        return await take(request)

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        decide.set()

        assert await reader.readexactly(len(CONTINUE)) == CONTINUE


async def test_a_refused_client_never_sees_100_and_is_let_go_at_once() -> None:
    async def handler(request: web.Request) -> web.Response:
        return await refuse(request, web.Response(status=401, text="no"))

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING))
        async with asyncio.timeout(5):
            raw = await reader.read()

    assert divided(raw) == Answer(
        401, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "2"}, b"no"
    )
    assert b"Connection: close" in raw


async def test_an_error_after_the_100_is_still_an_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        await send_continue(request)
        await request.read()
        raise web.HTTPConflict(text="taken")

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING))
        await reader.readexactly(len(CONTINUE))
        writer.write(b"hello")
        answer = divided(await reader.read())

    assert (answer.status, answer.body) == (409, b"taken")


async def test_a_defect_after_the_100_is_still_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.Response:
        await send_continue(request)
        raise ZeroDivisionError

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING))
        await reader.readexactly(len(CONTINUE))
        writer.write(b"hello")
        answer = divided(await reader.read())

    assert answer.status == 500


@pytest.mark.parametrize(
    "request_head",
    [
        head("PUT", "/", {"Content-Length": "5", "Connection": "close"}),
        head("PUT", "/", {"Content-Length": "5", "Connection": "close", "Expect": "the-unexpected"}),
        b"PUT / HTTP/1.0\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
    ids=["no expectation", "another expectation", "HTTP/1.0"],
)
async def test_who_does_not_wait_is_not_asked(request_head: bytes) -> None:
    async with serving(take) as port, connected(port) as (reader, writer):
        writer.write(request_head + b"hello")
        answer = divided(await reader.read())

    assert (answer.status, answer.body) == (200, b"hello")


async def test_who_has_begun_already_is_not_asked() -> None:
    async def handler(request: web.Request) -> web.Response:
        while not request.content.total_bytes:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.01)
        return await take(request)

    async with serving(handler) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", EXPECTING) + b"hel")
        await asyncio.sleep(0.1)
        writer.write(b"lo")
        answer = divided(await reader.read())

    assert (answer.status, answer.body) == (200, b"hello")


async def test_an_empty_body_is_not_asked_for() -> None:
    async with serving(take) as port, connected(port) as (reader, writer):
        writer.write(head("PUT", "/", {**EXPECTING, "Content-Length": "0"}))
        answer = divided(await reader.read())

    assert (answer.status, answer.body) == (200, b"")
