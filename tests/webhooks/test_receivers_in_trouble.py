"""Receivers that are down, slow, rude or gone get what is theirs later, and hold nobody else up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

import pytest
from aiohttp import web
from sqlalchemy import Connection

from channeld.catalog import webhooks
from channeld.catalog.database import Database
from channeld.webhooks.dispatcher import Listeners
from channeld.webhooks.lines import Outcome
from tests.support.catalog import actor
from tests.support.clock import ManualClock
from tests.support.receivers import Message, answering, raw_receiving, receiving, take
from tests.support.webhooks import (
    SECRET,
    dispatching,
    make_webhook,
    refusal,
    sent_of,
    settled,
    states_of,
    tell,
    tried,
)


async def test_messages_come_in_order_and_signed(database: Database) -> None:
    async with receiving() as receiver, dispatching(database):
        make_webhook(database, receiver.url)
        tell(database, *(refusal(number) for number in range(5)))
        messages = await receiver.got(5)
        await settled(database, lambda: states_of(database) == ["delivered"] * 5)
    assert [message.body["subject"] for message in messages] == [f"copy-{number}" for number in range(5)]
    assert [message.id for message in messages] == [message.body["id"] for message in messages]
    assert messages[0].headers["Content-Type"] == "application/json"
    assert abs(messages[0].timestamp - time.time()) < 60
    assert {message.signature[:3] for message in messages} == {"v1,"}


async def test_a_failure_is_tried_again_with_the_same_message(catalog: Database) -> None:
    clock = ManualClock()
    outcomes: Counter[Outcome] = Counter()
    listeners = Listeners(on_outcome=lambda outcome: outcomes.update([outcome]))
    async with (
        receiving(answering(500, 503, 200)) as receiver,
        dispatching(catalog, clock=clock, listeners=listeners),
    ):
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal(1), refusal(2))
        for count in (1, 2):
            await receiver.got(count)
            await settled(catalog, lambda count=count: sent_of(catalog)[0].attempts == count)  # type: ignore[misc]
            await asyncio.sleep(0.05)
            assert len(receiver.messages) == count  # the second one waits for the first
            clock.advance(seconds=16)
        await settled(catalog, lambda: states_of(catalog) == ["delivered"] * 2)
    subjects = [body["subject"] for body in receiver.bodies]
    assert subjects == ["copy-1", "copy-1", "copy-1", "copy-2"]
    assert len(set(receiver.ids[:3])) == 1
    assert len({message.raw for message in receiver.messages[:3]}) == 1
    assert [message.timestamp for message in receiver.messages[:3]] == [
        1_700_000_000 + 16 * n for n in range(3)
    ]
    assert outcomes == {"failed": 2, "delivered": 2}


async def test_after_so_many_attempts_it_is_given_up_and_can_be_tried_again(catalog: Database) -> None:
    clock = ManualClock()
    async with receiving(answering(404)) as receiver, dispatching(catalog, clock=clock, attempts=3):
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal())
        for count in range(1, 4):
            await receiver.got(count)
            await settled(catalog, lambda count=count: sent_of(catalog)[0].attempts == count)  # type: ignore[misc]
            clock.advance(seconds=8000)
        (dead,) = sent_of(catalog)
        assert (dead.state, dead.problem) == ("dead", "It answered 404 Not Found.")
        await asyncio.sleep(0.05)
        assert len(receiver.messages) == 3
        receiver.behaviour = take
        assert catalog.write_now(lambda c: webhooks.retry(c, "hook", actor(clock.now_ms()))) == 1
        await settled(catalog, lambda: states_of(catalog) == ["delivered"])
    assert len(set(receiver.ids)) == 1


async def test_a_receiver_that_is_gone_is_paused(catalog: Database) -> None:
    async with receiving(answering(410, 200)) as receiver, dispatching(catalog):
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal(1), refusal(2))
        await settled(
            catalog, lambda: catalog.read_now(lambda c: webhooks.get(c, "hook")).paused_ms is not None
        )
        await asyncio.sleep(0.05)
        assert len(receiver.messages) == 1
        assert [(each.state, each.problem) for each in sent_of(catalog)] == [
            ("waiting", "It answered 410 Gone."),
            ("waiting", ""),
        ]

        def again(connection: Connection) -> None:
            webhooks.resume(connection, "hook", actor(), skip=False)
            webhooks.retry(connection, "hook", actor())

        catalog.write_now(again)
        await settled(catalog, lambda: states_of(catalog) == ["delivered"] * 2)


async def test_retry_after_is_heeded(catalog: Database) -> None:
    clock = ManualClock()

    async def busy(_message: Message) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "600"})

    async with receiving(busy) as receiver, dispatching(catalog, clock=clock):
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal())
        await settled(catalog, lambda: [each.attempts for each in sent_of(catalog)] == [1])
        assert sent_of(catalog)[0].next_ms == clock.now_ms() + 600_000


async def test_redirects_are_not_followed(catalog: Database) -> None:
    async with receiving() as other:

        async def elsewhere(_message: Message) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": other.url})

        async with receiving(elsewhere) as receiver, dispatching(catalog):
            make_webhook(catalog, receiver.url)
            tell(catalog, refusal())
            await settled(catalog, lambda: [each.attempts for each in sent_of(catalog)] == [1])
        assert other.messages == []
    assert sent_of(catalog)[0].problem == "It answered 307 Temporary Redirect."


async def reset(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(100)


async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()
    await asyncio.sleep(1)


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    await asyncio.sleep(10)


async def endless_fields(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Field: value\r\n" * 1000)
        await writer.drain()


@pytest.mark.parametrize(
    ("talk", "problem"),
    [
        (reset, "It closed the connection without an answer."),
        (gibberish, "It answered with something that is not HTTP."),
        (silence, "It took too long to answer."),
        (endless_fields, "It answered with something that is not HTTP."),
    ],
)
async def test_what_is_no_answer_is_a_failure_with_a_reason(
    catalog: Database, talk: object, problem: str
) -> None:
    async with raw_receiving(talk) as url, dispatching(catalog, timeout_seconds=1):  # type: ignore[arg-type]
        make_webhook(catalog, url)
        tell(catalog, refusal())
        await settled(catalog, lambda: [each.attempts for each in sent_of(catalog)] == [1])
    assert sent_of(catalog)[0].problem == problem


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:1/", "It cannot be reached: Connection refused."),
        ("http://no-such-host.invalid/", "Its name cannot be resolved."),
        (f"http://{'a' * 64}.example/", "Its name cannot be resolved."),
        ("http://a..b/", "Its name cannot be resolved."),
    ],
)
async def test_nobody_there_is_a_failure_with_a_reason(catalog: Database, url: str, problem: str) -> None:
    async with dispatching(catalog):
        make_webhook(catalog, url)
        tell(catalog, refusal())
        await settled(catalog, lambda: tried(catalog, "hook"))
    assert sent_of(catalog)[0].problem == problem


async def test_a_huge_answer_is_not_read(catalog: Database) -> None:
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.read(100)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while written < 100_000_000:
            writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
            await writer.drain()
            written += 65_536

    async with raw_receiving(flood) as url, dispatching(catalog):
        make_webhook(catalog, url)
        tell(catalog, refusal())
        await settled(catalog, lambda: states_of(catalog) == ["delivered"])
        await asyncio.sleep(0.05)
    assert written < 20_000_000  # what the system's buffers took


async def test_slow_and_dead_receivers_hold_nobody_up(catalog: Database) -> None:
    stuck = asyncio.Event()
    names = [f"slow-{number}" for number in range(12)]  # more than there are places

    async def wait(_message: Message) -> web.StreamResponse:
        await stuck.wait()
        return web.Response()

    async with (
        receiving(wait) as slow,
        receiving() as quick,
        dispatching(catalog, concurrency=8, timeout_seconds=2),
    ):
        make_webhook(catalog, quick.url)
        tell(catalog, refusal(0))
        await quick.got(1)
        for name in names:
            make_webhook(catalog, slow.url, name=name)
        tell(catalog, *(refusal(number) for number in range(1, 21)))
        await quick.got(21)
        assert not any(
            tried(catalog, name) for name in names
        )  # all of them still ponder, or wait for a place
        await settled(catalog, lambda: any(tried(catalog, name) for name in names))
        tell(catalog, *(refusal(number) for number in range(21, 41)))
        await quick.got(41)
        assert len([name for name in names if tried(catalog, name)]) < len(names)
        stuck.set()


async def test_no_secret_and_no_url_is_logged(catalog: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving(answering(500)) as receiver, dispatching(catalog, attempts=2):
        make_webhook(catalog, f"{receiver.url}/very-private")
        make_webhook(catalog, "http://127.0.0.1:1/very-private", name="down")
        tell(catalog, refusal())
        await settled(catalog, lambda: tried(catalog, "hook", "down"))
    assert "A delivery failed" in caplog.text
    assert SECRET not in caplog.text
    assert "very-private" not in caplog.text
    assert SECRET not in repr(catalog.read_now(webhooks.every))
