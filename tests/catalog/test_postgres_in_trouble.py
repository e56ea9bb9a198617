"""Rule: trouble with the server is told as Unavailable, and is over when the trouble is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from channeld.catalog import channels, database
from channeld.catalog import tables as t
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, PostgresDatabase, open_database
from channeld.catalog.rejections import ValueUnstorable
from channeld.catalog.unavailable import CatalogUnavailable, CommitUncertain
from tests.support.catalog import actor, add, artifact, make_channel


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def postgres(database_url: str) -> Iterator[PostgresDatabase]:
    """A database of the test's own connections: it is going to lose them."""
    opened = open_database(database_url)
    assert isinstance(opened, PostgresDatabase)
    yield opened
    opened.close()


def kill(killer: Database, pid: int) -> None:
    killer.write_now(lambda c: c.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}))


def pid_of(connection: Connection) -> int:
    return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_lost_while_idle_is_replaced(postgres: PostgresDatabase, database: Database) -> None:
    for pid in (postgres.read_now(pid_of), postgres.write_now(pid_of)):
        kill(database, pid)

    assert make_channel(postgres).name == "chan"
    assert [channel.name for channel in postgres.read_now(channels.every)] == ["chan"]


def test_a_connection_lost_in_the_middle_undoes_the_write(
    postgres: PostgresDatabase, database: Database
) -> None:
    def work(connection: Connection) -> None:
        channels.create(connection, "chan", ChannelSettings(), actor())
        kill(database, pid_of(connection))
        channels.create(connection, "other", ChannelSettings(), actor())

    with pytest.raises(CatalogUnavailable) as failure:
        postgres.write_now(work)
    assert not isinstance(failure.value, CommitUncertain)
    assert database.read_now(channels.every) == []
    assert make_channel(postgres).name == "chan"


def test_a_connection_lost_at_the_commit_leaves_it_open(
    postgres: PostgresDatabase, database: Database
) -> None:
    """The answer is lost, not necessarily the commit: nobody may be told that nothing happened."""

    @event.listens_for(postgres.write_engine, "commit", once=True)
    def lose(connection: Connection) -> None:
        kill(database, pid_of(connection))

    with pytest.raises(CommitUncertain, match="not known"):
        make_channel(postgres)
    assert make_channel(postgres).name == "chan"


def test_who_waits_for_a_lock_too_long_gives_up(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresDatabase, database_url: str
) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_MS", 200)
    impatient = open_database(database_url)
    make_channel(postgres)
    inside, go = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        channels.lock(connection, ["chan"])
        inside.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(postgres.write_now, hold)
        assert inside.wait(10)
        with pytest.raises(CatalogUnavailable, match="lock timeout"):
            add(impatient, artifact())
        go.set()
        holding.result(10)
    assert add(impatient, artifact()).outcome == "created"
    impatient.close()


def test_a_value_that_the_server_cannot_take_is_the_askers(database: Database) -> None:
    with pytest.raises(ValueUnstorable, match="NUL"):
        database.read_now(lambda c: channels.find(c, "a\0b"))
    with pytest.raises(ValueUnstorable, match="out of range"):
        database.write_now(lambda c: c.execute(t.channels.update().values(revision=2**63)))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    lost = open_database("postgresql://user:hunter2@127.0.0.1:1/name")

    with pytest.raises(CatalogUnavailable) as failure:
        lost.read_now(channels.every)
    assert "hunter2" not in str(failure.value)
    with pytest.raises(CatalogUnavailable):
        lost.write_now(channels.every)
    lost.close()
