"""Rule: a row is sealed once no row with a lower id can come any more, and no writer waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, sealing
from channeld.catalog import tables as t
from channeld.catalog.audit import Change
from channeld.catalog.database import Database
from channeld.catalog.sealer import Sealer
from tests.support.audits import read_rows, verified
from tests.support.catalog import actor
from tests.support.clock import ManualClock


def write(connection: Connection, subject: str = "") -> None:
    audit.record(connection, actor(), Change("file.add", "chan", subject))


def sealed_ids(database: Database) -> list[int]:
    until = database.read_now(sealing.sealed_until)
    return [row.id for row in read_rows(database) if row.id <= until]


@contextmanager
def under_way(database: Database, subject: str) -> Iterator[sa.RootTransaction]:
    """A transaction of another process that has written a row and takes its time."""
    with database.write_engine.connect() as connection, connection.begin() as transaction:
        write(connection, subject)
        yield transaction


class TestOnPostgres:
    """There ids are drawn in one order, and rows appear in another."""

    @pytest.fixture
    def backend(self) -> str:
        return "postgresql"

    def test_a_row_waits_for_lower_ids_that_may_still_come(self, database: Database) -> None:
        sealer = Sealer(database, ManualClock())
        with under_way(database, "slow"):
            database.write_now(lambda connection: write(connection, "quick"))
            for _ in range(3):
                sealer.seal()
            assert [row.subject for row in read_rows(database)] == ["quick"]
            assert sealed_ids(database) == []
        sealer.seal()

        assert [row.subject for row in read_rows(database)] == ["slow", "quick"]
        assert sealed_ids(database) == [row.id for row in read_rows(database)]
        assert verified(database)[1] == []

    def test_a_row_that_was_never_committed_is_waited_for_no_longer(self, database: Database) -> None:
        sealer = Sealer(database, ManualClock())
        with under_way(database, "slow") as transaction:
            database.write_now(write)
            sealer.seal()
            transaction.rollback()
        head = sealer.seal()

        assert [row.id for row in read_rows(database)] == [head.last_id]
        assert verified(database, head)[1] == []

    def test_only_those_are_waited_for_that_were_there_before(self, database: Database) -> None:
        """However many transactions follow each other without a gap."""
        sealer = Sealer(database, ManualClock())
        database.write_now(write)
        with under_way(database, "first"):
            sealer.seal()
            with under_way(database, "second"):
                pass
        with under_way(database, "third"):
            sealer.seal()
            assert len(sealed_ids(database)) == 1  # what was seen at first
            with under_way(database, "fourth"):
                sealer.seal()
                assert len(sealed_ids(database)) == 1

    def test_readers_of_the_table_are_not_waited_for(self, database: Database) -> None:
        database.write_now(write)
        with database.write_engine.connect() as connection, connection.begin():
            connection.execute(sa.select(t.audit)).all()
            Sealer(database, ManualClock()).seal()
        assert len(sealed_ids(database)) == 1

    def test_no_lock_is_taken_that_a_writer_could_wait_for(self, database: Database) -> None:
        """Rounds without a pause, beside a slow transaction and eight writers: each row is sealed, in order."""
        sealer, done = Sealer(database, ManualClock(), batch_rows=20), threading.Event()

        def seal() -> None:
            while not done.is_set():
                sealer.seal()

        longest = []

        def write_some(writer: int) -> None:
            for number in range(25):
                begun = time.perf_counter()
                database.write_now(lambda connection: write(connection, f"{writer}-{number}"))  # noqa: B023
                longest.append(time.perf_counter() - begun)

        sealing_thread = threading.Thread(target=seal)
        sealing_thread.start()
        with under_way(database, "slow"):
            writers = [threading.Thread(target=write_some, args=(writer,)) for writer in range(8)]
            for thread in writers:
                thread.start()
            for thread in writers:
                thread.join()
            # nobody waited for the slow one, which is still under way
            assert len(longest) == 200
            assert max(longest) < 2
            assert sealed_ids(database) == []
        done.set()
        sealing_thread.join()
        sealer.seal()
        sealer.seal()

        assert len(sealed_ids(database)) == 201
        assert verified(database)[1] == []


def test_sealing_beside_writers_covers_every_row(database: Database) -> None:
    sealer, done = Sealer(database, ManualClock(), batch_rows=7), threading.Event()
    problems = []

    def seal() -> None:
        before: list[int] = []
        while not done.is_set():
            sealer.seal()
            ids = sealed_ids(database)
            if ids[: len(before)] != before:  # a row has come in among sealed ones
                problems.append((before, ids))
            before = ids

    def write_some() -> None:
        for _ in range(30):
            database.write_now(write)

    threads = [threading.Thread(target=write_some) for _ in range(4)]
    sealing_thread = threading.Thread(target=seal)
    for thread in (sealing_thread, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    sealing_thread.join()
    head = sealer.seal()

    assert problems == []
    assert len(sealed_ids(database)) == 120
    assert verified(database, head)[1] == []
