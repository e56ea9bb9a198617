"""Rule: writes that wait together share one commit, and nothing else: no fate, no answer before it is durable."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from channeld.catalog import channels, groupcommit
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import SqliteDatabase
from channeld.catalog.rejections import ChannelMissing
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.catalog import actor


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def sqlite(database: SqliteDatabase) -> SqliteDatabase:
    assert isinstance(database, SqliteDatabase)
    return database


class Gate:
    """Holds the writer, so that what is submitted meanwhile stands in one queue."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._inside, self._go = threading.Event(), threading.Event()
        self.future = database.submit(self._hold)
        assert self._inside.wait(10)

    def _hold(self, _connection: Connection) -> None:
        self._inside.set()
        self._go.wait(10)

    def open(self) -> None:
        self._go.set()


@pytest.fixture
def gate(sqlite: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    monkeypatch.setattr(groupcommit, "BATCH_SECONDS", 30.0)  # however slow the machine is just now
    closed = Gate(sqlite)
    yield closed
    closed.open()


def create(database: SqliteDatabase, name: str) -> Future[channels.Channel]:
    return database.submit(lambda connection: channels.create(connection, name, ChannelSettings(), actor()))


def names(database: SqliteDatabase) -> list[str]:
    return [channel.name for channel in database.read_now(channels.every)]


def count_commits(database: SqliteDatabase) -> list[None]:
    commits: list[None] = []

    @event.listens_for(database.write_engine, "commit")
    def note(_connection: Connection) -> None:
        commits.append(None)

    return commits


async def test_fifty_writes_at_once_take_few_commits(sqlite: SqliteDatabase) -> None:
    commits = count_commits(sqlite)

    await asyncio.gather(
        *(
            sqlite.write(lambda c, name=f"c{n:02}": channels.create(c, name, ChannelSettings(), actor()))  # type: ignore[misc]
            for n in range(50)
        )
    )

    assert names(sqlite) == [f"c{n:02}" for n in range(50)]
    assert len(commits) <= 15


def test_what_waits_is_one_commit(sqlite: SqliteDatabase, gate: Gate) -> None:
    commits = count_commits(sqlite)
    futures = [create(sqlite, f"c{n}") for n in range(20)]
    gate.open()

    for future in futures:
        future.result(10)
    assert len(commits) == 1


def test_one_that_fails_does_not_touch_the_others(sqlite: SqliteDatabase, gate: Gate) -> None:
    def fail(connection: Connection) -> None:
        channels.create(connection, "bad", ChannelSettings(), actor())
        channels.get(connection, "nothing")

    def misspelt(connection: Connection) -> None:
        channels.create(connection, "bad", ChannelSettings(), actor())
        connection.exec_driver_sql("SELECT * FROM no_such_table")

    futures: list[Future[Any]] = [
        create(sqlite, "a"),
        sqlite.submit(fail),
        sqlite.submit(misspelt),
        create(sqlite, "b"),
    ]
    gate.open()

    failures = [future.exception(10) for future in futures]
    assert [type(failure) for failure in failures] == [
        type(None),
        ChannelMissing,
        CatalogUnavailable,
        type(None),
    ]
    assert names(sqlite) == ["a", "b"]


def test_one_that_is_cancelled_before_its_turn_does_not_happen(sqlite: SqliteDatabase, gate: Gate) -> None:
    first, second, third = (create(sqlite, name) for name in "abc")
    assert second.cancel()
    gate.open()

    assert (first.result(10).name, third.result(10).name) == ("a", "c")
    with pytest.raises(CancelledError):
        second.result(10)
    assert names(sqlite) == ["a", "c"]


def test_one_that_ends_in_a_base_exception_does_not_stop_the_writer(
    sqlite: SqliteDatabase, gate: Gate
) -> None:
    def leave(_connection: Connection) -> None:
        raise SystemExit

    futures: list[Future[Any]] = [create(sqlite, "a"), sqlite.submit(leave), create(sqlite, "b")]
    gate.open()

    assert isinstance(futures[1].exception(10), SystemExit)
    assert names(sqlite) == ["a", "b"]


def test_a_failing_commit_is_everybodys_answer(sqlite: SqliteDatabase, gate: Gate) -> None:
    """Also the answer of one that was refused: what it was refused for may be among what is not kept."""

    def break_commit(connection: Connection) -> None:
        # a row that refers to nothing, checked at the end of the transaction
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql("INSERT INTO channel_facts VALUES (4711, x'00')")

    futures: list[Future[Any]] = [
        create(sqlite, "a"),
        sqlite.submit(lambda c: channels.get(c, "nothing")),
        sqlite.submit(break_commit),
    ]
    gate.open()

    failures = [future.exception(10) for future in futures]
    assert {type(failure) for failure in failures} == {CatalogUnavailable}
    assert len(set(map(id, failures))) == 3  # raised in three places, so three
    assert all("FOREIGN KEY" in str(failure) for failure in failures)
    assert names(sqlite) == []
    assert create(sqlite, "later").result(10).name == "later"


def test_a_write_that_loses_the_transaction_takes_nobody_else_for_done(
    sqlite: SqliteDatabase, gate: Gate
) -> None:
    """SQLite rolls everything back by itself in some emergencies."""

    def lose(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise ChannelMissing("chan")

    futures: list[Future[Any]] = [create(sqlite, "a"), sqlite.submit(lose), create(sqlite, "b")]
    gate.open()

    assert isinstance(futures[0].exception(10), CatalogUnavailable)
    assert isinstance(futures[1].exception(10), CatalogUnavailable)
    # one that was not in that transaction any more is done in the next
    assert futures[2].result(10).name == "b"
    assert names(sqlite) == ["b"]


def test_a_failing_begin_is_told_to_all_who_wait(sqlite: SqliteDatabase) -> None:
    """Each of them waiting for the lock in its turn would take as many times as long."""
    sqlite.write_now(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=300"))
    other = sqlite3.connect(str(sqlite.write_engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    futures = [create(sqlite, f"c{n}") for n in range(10)]
    failures = [future.exception(2) for future in futures]

    assert {str(failure) for failure in failures} == {
        "The catalog is not available: database is locked. Nothing was changed; try again shortly."
    }
    other.execute("COMMIT")
    other.close()
    assert create(sqlite, "later").result(10).name == "later"
    assert names(sqlite) == ["later"]


def test_the_statement_and_its_values_are_not_in_the_message(sqlite: SqliteDatabase) -> None:
    def bad(connection: Connection) -> None:
        connection.execute(sa.text("SELECT :secret FROM no_such_table"), {"secret": "hunter2"})

    with pytest.raises(CatalogUnavailable) as failure:
        sqlite.write_now(bad)
    assert "hunter2" not in str(failure.value)
    assert "SELECT" not in str(failure.value)
