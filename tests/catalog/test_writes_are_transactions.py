"""Rule: a write happens as a whole or not at all, is seen by the next read, and never by anybody before."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest
import sqlalchemy as sa

from channeld.catalog import channels
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, open_database
from channeld.catalog.rejections import DatabaseUnsupported
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.catalog import actor, dump, make_channel


class Refused(Exception):
    """Stands for any rejection."""


def create_then_fail(connection: sa.Connection) -> None:
    channels.create(connection, "chan", ChannelSettings(), actor())
    raise Refused


def names(database: Database) -> list[str]:
    return [channel.name for channel in database.read_now(channels.every)]


def test_what_a_failing_write_did_is_undone(database: Database) -> None:
    before = dump(database)

    with pytest.raises(Refused):
        database.write_now(create_then_fail)
    assert dump(database) == before


async def test_many_writes_at_once_fail_and_succeed_each_for_itself(database: Database) -> None:
    def write(number: int) -> asyncio.Future[object]:
        if number % 3 == 0:
            return asyncio.ensure_future(database.write(create_then_fail))
        return asyncio.ensure_future(
            database.write(lambda c: channels.create(c, f"chan-{number:02}", ChannelSettings(), actor()))
        )

    results = await asyncio.gather(*map(write, range(50)), return_exceptions=True)

    assert [number for number, result in enumerate(results) if isinstance(result, Refused)] == list(
        range(0, 50, 3)
    )
    assert names(database) == [f"chan-{number:02}" for number in range(50) if number % 3]


async def test_a_write_that_broke_the_data_leaves_its_error_to_its_caller(database: Database) -> None:
    make_channel(database)
    insert = sa.text(
        "INSERT INTO labels (channel_id, name, locked, relations, created_ms) VALUES (99, 'x', false, '', 0)"
    )

    results = await asyncio.gather(
        database.write(lambda c: c.execute(insert)),
        database.write(lambda c: channels.create(c, "other", ChannelSettings(), actor())),
        return_exceptions=True,
    )

    assert isinstance(results[0], sa.exc.IntegrityError)
    assert names(database) == ["chan", "other"]


async def test_a_caller_that_leaves_does_not_undo_a_write_under_way(database: Database) -> None:
    started, leave = threading.Event(), threading.Event()

    def slow(connection: sa.Connection) -> None:
        channels.create(connection, "chan", ChannelSettings(), actor())
        started.set()
        leave.wait(10)

    task = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(database) == []
    leave.set()
    await database.write(lambda connection: None)

    for _ in range(100):
        if names(database):
            break
        await asyncio.sleep(0.02)
    assert names(database) == ["chan"]


def test_closing_finishes_what_waits(database: Database) -> None:
    with_closing = open_database(database.write_engine.url.render_as_string(hide_password=False))
    held, go = threading.Event(), threading.Event()

    def hold(connection: sa.Connection) -> None:
        held.set()
        go.wait(10)

    futures: list[Future[Any]] = [with_closing.submit(hold)]
    held.wait(10)
    futures += [
        with_closing.submit(
            lambda c, number=number: channels.create(c, f"chan-{number}", ChannelSettings(), actor())  # type: ignore[misc]
        )
        for number in range(20)
    ]
    closing = threading.Thread(target=with_closing.close)
    closing.start()
    go.set()
    closing.join(10)

    assert not closing.is_alive()
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(names(database)) == 20


async def test_a_closed_catalog_says_so(database: Database) -> None:
    closed = open_database(database.write_engine.url.render_as_string(hide_password=False))
    closed.close()
    closed.close()

    with pytest.raises(CatalogUnavailable, match="being closed"):
        await closed.read(channels.every)
    with pytest.raises(CatalogUnavailable, match="being closed"):
        closed.read_now(channels.every)
    with pytest.raises(CatalogUnavailable, match="being closed"):
        await closed.write(channels.every)


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "no url", "sqlite+aiosqlite://"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(DatabaseUnsupported):
        open_database(url)


def test_a_url_with_a_password_is_not_repeated() -> None:
    with pytest.raises(DatabaseUnsupported) as rejection:
        open_database("mysql://user:hunter2@host/name")
    assert "hunter2" not in str(rejection.value)
