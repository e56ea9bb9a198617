"""Rule: one process seals; should two try, the chain does not fork and no row is sealed twice."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from channeld.catalog import chainrows, leases, sealing
from channeld.catalog import tables as t
from channeld.catalog.chain import START, Entry
from channeld.catalog.database import Database
from channeld.catalog.sealer import Sealer
from tests.support.audits import row, verified, write_rows
from tests.support.catalog import NOW
from tests.support.clock import ManualClock

ENTRY = Entry(1, bytes(32))


def test_while_one_seals_another_does_not(database: Database) -> None:
    clock = ManualClock(NOW)
    one, other = Sealer(database, clock, holder="one"), Sealer(database, clock, holder="other")
    write_rows(database, [row(1)])
    head = one.seal()
    write_rows(database, [row(2)])

    assert other.seal() == head
    assert one.seal().last_id == 2


@pytest.mark.parametrize("leaves", ["in order", "without a word"])
def test_when_one_is_gone_another_goes_on(database: Database, leaves: str) -> None:
    clock = ManualClock(NOW)
    one, other = Sealer(database, clock, holder="one"), Sealer(database, clock, holder="other")
    write_rows(database, [row(1)])
    one.seal()
    if leaves == "in order":
        one.close()
    else:
        clock.advance(seconds=16)
    write_rows(database, [row(2)])

    assert other.seal().last_id == 2
    assert verified(database)[1] == []


def test_nothing_is_added_behind_a_head_that_is_not_the_end(database: Database) -> None:
    write_rows(database, [row(1), row(2)])
    first = database.write_now(lambda c: sealing.append(c, "one", START, [ENTRY], NOW))
    assert first is not None

    again = database.write_now(lambda c: sealing.append(c, "one", START, [ENTRY, Entry(2, bytes(32))], NOW))
    other = database.write_now(lambda c: sealing.append(c, "other", first, [Entry(2, bytes(32))], NOW))

    assert (again, other) == (None, None)
    assert database.read_now(chainrows.end_of_chain) == first


def test_the_table_itself_takes_no_fork(database: Database) -> None:
    values = {"first_id": 1, "rows": b"", "head": b"", "sealed_ms": NOW}
    insert = t.audit_seals.insert()
    database.write_now(lambda c: c.execute(insert, {**values, "last_id": 1}).rowcount)
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(lambda c: c.execute(insert, {**values, "last_id": 2}).rowcount)


def test_many_at_once_make_one_chain(database: Database) -> None:
    """Their leases end at once here, so each may seal whenever it comes to."""
    write_rows(database, map(row, range(1, 41)))
    clocks = [ManualClock(NOW + 20_000 * number) for number in range(4)]
    sealers = [Sealer(database, clock, batch_rows=3) for clock in clocks]

    def seal(sealer: Sealer, clock: ManualClock) -> None:
        while database.read_now(sealing.sealed_until) < 40:
            clock.advance(seconds=20)
            sealer.seal()

    threads = [threading.Thread(target=seal, args=each) for each in zip(sealers, clocks, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    result, findings = verified(database)
    assert findings == []
    assert (result.rows, result.head.last_id) == (40, 40)
    assert database.read_now(lambda c: leases.find(c, sealing.SEALER)) is not None
