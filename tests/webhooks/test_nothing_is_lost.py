"""Rule: whatever ends or fails at which step, every event arrives; twice perhaps, and then with the same id."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Connection

from channeld.catalog import leases
from channeld.catalog import tables as t
from channeld.catalog.database import Database, open_database
from channeld.catalog.unavailable import CatalogUnavailable
from channeld.clock import SystemClock
from channeld.webhooks.dispatcher import LEASE, LEASE_MS
from channeld.webhooks.lines import Health, Lanes, Line, Post
from channeld.webhooks.sending import Answer
from tests.support.clock import ManualClock
from tests.support.receivers import Message, receiving
from tests.support.webhooks import dispatching, make_webhook, refusal, sent_of, settled, states_of, tell


class Killed(BaseException):
    """The process ends here."""


def post_of(database: Database, send: Any, may_send: Callable[[], bool] = lambda: True) -> Post:
    return Post(
        database=database,
        clock=ManualClock(),
        send=send,
        lanes=Lanes(4),
        attempts=18,
        slow_seconds=1,
        chance=lambda: 0.5,
        may_send=may_send,
        on_outcome=lambda outcome: None,
    )


async def fanned_out(database: Database, count: int) -> None:
    """Have deliveries wait that nobody sends."""
    make_webhook(database, "http://no-such-host.invalid/")
    tell(database, *(refusal(number) for number in range(count)))
    clock = ManualClock()
    async with dispatching(database, clock=clock):
        await settled(
            database, lambda: len(sent_of(database)) == count and sent_of(database)[0].attempts == 1
        )
    database.write_now(lambda c: c.execute(t.deliveries.update().values(next_ms=0, attempts=0)))


async def test_killed_between_the_answer_and_its_mark_it_comes_again(catalog: Database) -> None:
    await fanned_out(catalog, 3)
    taken: list[str] = []

    async def send(_url: str, headers: Mapping[str, str], _body: bytes) -> Answer:
        taken.append(headers["webhook-id"])
        if len(taken) == 2:
            raise Killed
        return Answer()

    with pytest.raises(Killed):
        await Line(post_of(catalog, send), "hook", Health()).run()
    assert states_of(catalog) == ["delivered", "waiting", "waiting"]
    await Line(post_of(catalog, send), "hook", Health()).run()
    assert states_of(catalog) == ["delivered"] * 3
    assert taken[1] == taken[2]
    assert [count for _, count in sorted(Counter(taken).items())] == [1, 2, 1]


async def test_while_marks_cannot_be_written_nothing_more_is_sent(
    catalog: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fanned_out(catalog, 2)
    taken: list[str] = []
    failures = 0
    write = catalog.write

    async def failing(work: Callable[[Connection], Any]) -> Any:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise CatalogUnavailable("the disk is full")
        return await write(work)

    async def send(_url: str, headers: Mapping[str, str], _body: bytes) -> Answer:
        taken.append(headers["webhook-id"])
        return Answer()

    monkeypatch.setattr("channeld.webhooks.lines._FIRST_PAUSE", 0.001)
    monkeypatch.setattr(catalog, "write", failing)
    await Line(post_of(catalog, send), "hook", Health()).run()
    assert failures == 2
    assert len(taken) == len(set(taken)) == 2
    assert states_of(catalog) == ["delivered"] * 2


async def test_stopped_while_a_receiver_ponders_it_comes_again_after_the_start(
    catalog: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.webhooks.dispatcher._GRACE_SECONDS", 0.05)
    ponders = True

    async def ponder(_message: Message) -> web.StreamResponse:
        if ponders:
            await asyncio.sleep(2)
        return web.Response()

    async with receiving(ponder) as receiver:
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal(1), refusal(2))
        async with dispatching(catalog):
            await receiver.got(1)
        assert states_of(catalog) == ["waiting", "waiting"]
        lease = catalog.read_now(lambda c: leases.find(c, LEASE))
        assert lease is not None
        assert lease.expires_ms == 0  # given back: another process need not wait
        ponders = False
        async with dispatching(catalog):
            await settled(catalog, lambda: states_of(catalog) == ["delivered"] * 2)
    assert [body["subject"] for body in receiver.bodies] == ["copy-1", "copy-1", "copy-2"]
    assert receiver.ids[0] == receiver.ids[1]


async def test_of_two_processes_one_sends_and_the_other_takes_over(catalog: Database) -> None:
    url = f"sqlite:///{catalog.write_engine.url.database}"
    other = open_database(url)
    try:
        async with receiving() as receiver:
            make_webhook(catalog, receiver.url)
            async with dispatching(other):
                async with dispatching(catalog):
                    for number in range(30):
                        tell(catalog, refusal(number))
                    await settled(catalog, lambda: states_of(catalog) == ["delivered"] * 30)
                assert [body["subject"] for body in receiver.bodies] == [f"copy-{n}" for n in range(30)]
                # whichever of them had the lease, the one that is left goes on
                tell(catalog, refusal(30))
                await receiver.got(31)
        assert len(set(receiver.ids)) == 31
    finally:
        other.close()


async def test_nothing_is_sent_by_who_lost_the_lease(catalog: Database) -> None:
    clock = SystemClock()
    catalog.write_now(lambda c: leases.take(c, LEASE, "another", clock.now_ms(), LEASE_MS))
    async with receiving() as receiver, dispatching(catalog):
        make_webhook(catalog, receiver.url)
        tell(catalog, refusal())
        await asyncio.sleep(0.2)
        assert receiver.messages == []
        assert sent_of(catalog) == []
        catalog.write_now(lambda c: c.execute(t.leases.update().values(expires_ms=0)))
        await receiver.got(1)


async def test_an_idle_dispatcher_writes_nothing(catalog: Database) -> None:

    make_webhook(catalog)
    before = catalog.read_now(lambda c: [c.execute(table.select()).all() for table in (t.webhooks, t.leases)])
    async with dispatching(catalog):
        await asyncio.sleep(0.1)
    after = catalog.read_now(lambda c: [c.execute(table.select()).all() for table in (t.webhooks, t.leases)])
    assert after == before
    assert after[1] == []
