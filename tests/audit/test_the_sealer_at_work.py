"""The sealer of a server: batch by batch, little memory, and the head where an auditor finds it."""

from __future__ import annotations

import logging
import tracemalloc

import pytest
import sqlalchemy as sa

from channeld.catalog import chainrows
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.sealer import Sealer
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.audits import row, sealed, verified, write_rows
from tests.support.catalog import NOW
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "channeld.catalog.sealer"]


def lasts(database: Database) -> list[int]:
    query = sa.select(t.audit_seals.c.last_id).order_by(t.audit_seals.c.last_id)
    return database.read_now(lambda connection: list(connection.execute(query).scalars()))


def test_a_backlog_is_sealed_in_batches(database: Database, clock: ManualClock) -> None:
    write_rows(database, map(row, range(1, 26)))
    Sealer(database, clock, batch_rows=10).seal()
    assert lasts(database) == [10, 20, 25]


def test_it_ends_early_when_it_is_to_stop_and_goes_on_next_time(
    database: Database, clock: ManualClock
) -> None:
    write_rows(database, map(row, range(1, 26)))
    sealer, answers = Sealer(database, clock, batch_rows=10), iter([False, False, True])
    sealer.seal(lambda: next(answers))
    assert lasts(database) == [10, 20]
    sealer.close()
    assert lasts(database) == [10, 20, 25]


def test_where_there_is_nothing_new_nothing_is_written(database: Database, clock: ManualClock) -> None:
    sealer = Sealer(database, clock)
    sealer.seal()
    assert lasts(database) == []
    write_rows(database, [row(1)])
    first = sealer.seal()
    clock.advance(seconds=3600)
    assert sealer.seal() == first
    assert lasts(database) == [1]


def test_memory_does_not_grow_with_the_backlog(database: Database, clock: ManualClock) -> None:
    filler = "x" * 3000
    for start in range(1, 4001, 1000):
        write_rows(database, (row(number, after=filler) for number in range(start, start + 1000)))
    tracemalloc.start()
    try:
        Sealer(database, clock, batch_rows=500).seal()
        result, _ = verified(database)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.rows == 4000
    assert peak < 6_000_000  # of 12 MB of rows


def test_the_head_is_told_at_the_start_once_an_hour_and_at_the_end(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    heads = [sealed(database, [1])]
    sealer = Sealer(database, clock, holder="test")
    sealer.round()
    for number in range(2, 13):  # every ten minutes a row
        clock.advance(seconds=600)
        write_rows(database, [row(number)])
        heads.append(sealer.seal())
    sealer.close()

    assert told(caplog) == [f"The head of the audit is {heads[number]}" for number in (0, 6, 11)]


def test_an_empty_audit_has_no_head_to_tell(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sealer = Sealer(database, clock)
    sealer.round()
    sealer.close()
    assert told(caplog) == []


def test_it_says_how_far_it_is_and_how_long_the_next_row_has_waited(
    database: Database, clock: ManualClock
) -> None:
    rounds: list[tuple[int, float]] = []
    write_rows(database, [row(1), row(2, at_ms=NOW)])
    clock.advance(seconds=7)
    sealer = Sealer(
        database, clock, batch_rows=1, on_round=lambda last, lag: rounds.append((last, lag)), holder="test"
    )
    answers = iter([False, True])
    sealer.seal(lambda: next(answers))
    sealer.seal()
    assert rounds == [(1, 7.0), (2, 0.0)]


def test_a_cut_off_end_is_noticed_while_the_server_runs(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    write_rows(database, [row(1)])
    sealer = Sealer(database, clock)
    first = sealer.seal()
    write_rows(database, [row(2)])
    second = sealer.seal()
    cut = t.audit_seals.delete().where(t.audit_seals.c.last_id == 2)
    database.write_now(lambda connection: connection.execute(cut).rowcount)
    clock.advance(seconds=1)
    sealer.seal()
    sealer.seal()

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (
        record.getMessage() == f"The end of the audit's chain is gone: it was at {second}, and is at {first}."
    )


def test_a_database_that_is_away_is_told_once(
    database: Database,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    sealer = Sealer(database, clock)

    def fail(_connection: object) -> None:
        raise CatalogUnavailable("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(chainrows, "end_of_chain", fail)
        sealer.round()
        sealer.round()
    write_rows(database, [row(1)])
    sealer.round()

    assert told(caplog)[0].startswith(
        "The audit could not be sealed, which is tried again. The catalog is not"
    )
    assert [line for line in told(caplog)[1:] if "head" not in line] == ["The audit is being sealed again."]
    assert lasts(database) == [1]


class TestOnSqlite:
    """SQLite keeps any value in any column."""

    @pytest.fixture
    def backend(self) -> str:
        return "sqlite"

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("reason", "CAST(x'ff00' AS TEXT)"),
            ("reason", "x'6d61696e'"),
            ("at_ms", "'soon'"),
            ("revision", "1.5"),
            ("revision", "x'00'"),
        ],
    )
    @pytest.mark.parametrize("when", ["before it was sealed", "afterwards"])
    def test_values_of_other_types_keep_nobody_from_sealing_or_verifying(
        self, database: Database, clock: ManualClock, column: str, value: str, when: str
    ) -> None:
        write_rows(database, [row(1, reason="main"), row(2), row(3)])

        def change() -> None:
            statement = f"UPDATE audit SET {column} = {value} WHERE id = 2"
            database.write_now(lambda connection: connection.exec_driver_sql(statement).rowcount)

        sealer = Sealer(database, clock)
        if when == "before it was sealed":
            change()
        head = sealer.seal()
        if when == "afterwards":
            change()
        result, findings = verified(database, head)

        about = [] if when == "before it was sealed" else ["Row 2 was altered after it was sealed."]
        assert (head.last_id, result.rows) == (3, 3 - len(about))
        assert [finding.sentence() for finding in findings] == about

    @pytest.mark.parametrize("column", ["first_id", "rows", "head", "sealed_ms"])
    def test_a_seal_of_other_types_is_a_changed_one(self, database: Database, column: str) -> None:
        head = sealed(database, [1], [2, 3], [4])
        statement = f"UPDATE audit_seals SET {column} = CAST(x'ff' AS TEXT) WHERE last_id = 3"
        database.write_now(lambda connection: connection.exec_driver_sql(statement).rowcount)

        assert [(one.rule, one.first_id, one.last_id) for one in verified(database, head)[1]] == [
            ("seal_changed", 2, 3)
        ]
