"""Rule: SQLite's transactions are begun, ordered and made durable by us; its driver begins none by itself."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from channeld.catalog import channels
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import LOCK_TIMEOUT_MS, SqliteDatabase, open_database
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.catalog import actor, add, artifact, make_channel


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def sqlite(database: SqliteDatabase) -> SqliteDatabase:
    assert isinstance(database, SqliteDatabase)
    return database


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def both(database: SqliteDatabase, name: str) -> tuple[object, object]:
    """Return what a pragma is for reads and for writes."""
    return (
        database.read_now(lambda connection: pragma(connection, name)),
        database.write_now(lambda connection: pragma(connection, name)),
    )


def statements(engine: sa.Engine) -> list[str]:
    """Collect the statements that an engine runs from now on."""
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    return seen


def test_a_read_begins_a_transaction(sqlite: SqliteDatabase) -> None:
    seen = statements(sqlite.read_engine)

    sqlite.read_now(channels.every)

    assert seen[0] == "BEGIN"
    assert sum(statement.startswith("BEGIN") for statement in seen) == 1


def test_a_write_takes_the_lock_at_once(sqlite: SqliteDatabase) -> None:
    """A transaction that began as a read and then writes fails at once when another one wrote meanwhile."""
    seen = statements(sqlite.write_engine)

    sqlite.write_now(channels.every)

    assert seen[0] == "BEGIN IMMEDIATE"
    assert sum(statement.startswith("BEGIN") for statement in seen) == 1


def test_the_driver_begins_nothing(sqlite: SqliteDatabase) -> None:
    for engine in (sqlite.read_engine, sqlite.write_engine):
        connection = engine.raw_connection()
        driver = connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        assert driver.isolation_level is None
        connection.close()


def test_the_log_is_written_ahead(sqlite: SqliteDatabase) -> None:
    assert both(sqlite, "journal_mode") == ("wal", "wal")


def test_every_commit_is_synced(sqlite: SqliteDatabase) -> None:
    assert both(sqlite, "synchronous")[1] == 2  # FULL


def test_a_lock_is_waited_for(sqlite: SqliteDatabase) -> None:
    assert both(sqlite, "busy_timeout") == (LOCK_TIMEOUT_MS, LOCK_TIMEOUT_MS)


def test_foreign_keys_hold(sqlite: SqliteDatabase) -> None:
    assert both(sqlite, "foreign_keys")[1] == 1


def test_reads_are_read_only(sqlite: SqliteDatabase) -> None:
    assert both(sqlite, "query_only") == (1, 0)


def test_a_reader_does_not_wait_for_a_writer(sqlite: SqliteDatabase) -> None:
    make_channel(sqlite)
    inside, go = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        channels.create(connection, "other", ChannelSettings(), actor())
        inside.set()
        go.wait(10)

    future = sqlite.submit(hold)
    assert inside.wait(10)
    assert [channel.name for channel in sqlite.read_now(channels.every)] == ["chan"]
    go.set()
    future.result(10)
    assert [channel.name for channel in sqlite.read_now(channels.every)] == ["chan", "other"]


def test_a_second_process_waits_for_the_first_ones_write(sqlite: SqliteDatabase) -> None:
    make_channel(sqlite)
    other = sqlite3.connect(str(sqlite.write_engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    added = sqlite.submit(lambda connection: channels.create(connection, "b", ChannelSettings(), actor()))
    with pytest.raises(TimeoutError):
        added.result(0.3)
    other.execute("COMMIT")
    other.close()

    assert added.result(10).name == "b"


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    lost = open_database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")

    with pytest.raises(CatalogUnavailable, match="unable to open database file"):
        lost.read_now(channels.every)
    with pytest.raises(CatalogUnavailable, match="unable to open database file"):
        lost.write_now(channels.every)
    lost.close()


def limit_pages(database: SqliteDatabase, extra: int) -> None:
    """Let the file grow by so many pages: what a full disk looks like to SQLite."""

    def limit(connection: Connection) -> None:
        size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={size + extra}")

    database.write_now(limit)


def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite: SqliteDatabase) -> None:
    make_channel(sqlite)
    limit_pages(sqlite, 2)
    written: list[int] = []

    def fill() -> None:
        for number in range(1000):
            add(sqlite, artifact(f"p{number}"))
            written.append(number)

    with pytest.raises(CatalogUnavailable, match="full"):
        fill()

    assert written
    counted = sa.text("SELECT count(*) FROM files")
    assert sqlite.read_now(lambda c: c.execute(counted).scalar_one()) == len(written)
    # the connection that met the full disk is not used again: a new one has no limit
    assert add(sqlite, artifact("last")).outcome == "created"
    assert sqlite.read_now(lambda c: pragma(c, "integrity_check")) == "ok"


def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    def begin(number: int, all_are_there: threading.Barrier) -> None:
        opened = open_database(f"sqlite:///{tmp_path / f'new{number}.sqlite'}")
        try:
            all_are_there.wait()
            with opened.migration() as connection:
                assert pragma(connection, "journal_mode") == "wal"
        finally:
            opened.close()

    with ThreadPoolExecutor(4) as threads:
        for number in range(60):
            list(threads.map(begin, [number] * 4, [threading.Barrier(4)] * 4))
