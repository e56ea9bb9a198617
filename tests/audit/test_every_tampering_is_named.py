"""Rule: whatever single thing somebody does to a row or a seal, verifying with a head noted before names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.chain import COLUMNS
from channeld.catalog.database import Database
from channeld.catalog.tampering import Finding
from tests.support.audits import row, sealed, verified

#: Ids with gaps, as PostgreSQL leaves them, batch by batch.
BATCHES = ((1, 2, 3), (5,), (8, 9), (10, 11, 14, 15), (16,), (20, 21, 22, 23))
IDS = [each for batch in BATCHES for each in batch]
LASTS = [batch[-1] for batch in BATCHES]
FIRSTS = [1, *(last + 1 for last in LASTS[:-1])]
SEALS = dict(zip(LASTS, zip(FIRSTS, LASTS, strict=True), strict=True))
GAPS = sorted(set(range(-2, IDS[-1])) - set(IDS))

Change = Callable[[Connection], object]


@dataclass(frozen=True)
class Tampering:
    """What is done, and the rows that a finding has to be about."""

    text: str
    change: Change
    first_id: int
    last_id: int

    def __repr__(self) -> str:
        return self.text


def by_id(row_id: int) -> sa.ColumnElement[bool]:
    return t.audit.c.id == row_id


def row_changed(row_id: int, column: str, number: int, text: str) -> Tampering:
    """Give a row another value; another id makes it another row."""
    value: Any = number if isinstance(t.audit.c[column].type, sa.BigInteger) else text
    change = t.audit.update().where(by_id(row_id)).values({column: value})
    return Tampering(
        f"row {row_id}: {column}={value!r}", lambda c: c.execute(change).rowcount, row_id, row_id
    )


def row_dropped(row_id: int) -> Tampering:
    change = t.audit.delete().where(by_id(row_id))
    return Tampering(f"row {row_id} dropped", lambda c: c.execute(change).rowcount, row_id, row_id)


def row_put_in(row_id: int) -> Tampering:
    change = t.audit.insert().values(row(row_id))
    return Tampering(f"row {row_id} put in", lambda c: c.execute(change).rowcount, row_id, row_id)


def cut_off(rows: bool, seals: bool, after: int) -> Tampering:
    """Cut rows, or seals, or both, off at the end of a seal."""

    def change(connection: Connection) -> None:
        if rows:
            connection.execute(t.audit.delete().where(t.audit.c.id > after))
        if seals:
            connection.execute(t.audit_seals.delete().where(t.audit_seals.c.last_id > after))

    return Tampering(f"cut off after {after}, rows {rows}, seals {seals}", change, after + 1, IDS[-1])


def seal_changed(last_id: int, column: str, number: int) -> Tampering:
    """Change a seal: add to a number, or turn a bit of what is bytes."""

    def change(connection: Connection) -> None:
        mine = t.audit_seals.c.last_id == last_id
        value = connection.execute(sa.select(t.audit_seals.c[column]).where(mine)).scalar_one()
        if isinstance(value, bytes):
            at = number % len(value)
            other: Any = value[:at] + bytes([value[at] ^ 1 << number % 8]) + value[at + 1 :]
        else:
            other = value + number
        connection.execute(t.audit_seals.update().where(mine).values({column: other}))

    return Tampering(f"seal {last_id}: {column} {number:+}", change, *SEALS[last_id])


def seal_dropped(last_id: int) -> Tampering:
    change = t.audit_seals.delete().where(t.audit_seals.c.last_id == last_id)
    return Tampering(f"seal {last_id} dropped", lambda c: c.execute(change).rowcount, *SEALS[last_id])


def seal_put_in(last_id: int, like: int, first_id: int) -> Tampering:
    """Add a seal that says what another one says, under other numbers."""

    def change(connection: Connection) -> None:
        other = connection.execute(t.audit_seals.select().where(t.audit_seals.c.last_id == like)).one()
        values = {**other._mapping, "last_id": last_id, "first_id": first_id}
        connection.execute(t.audit_seals.insert(), values)

    return Tampering(
        f"seal {first_id} to {last_id} put in, like {like}", change, min(first_id, last_id), last_id
    )


NUMBERS = st.integers(-(10**6), 10**6).filter(bool)
SPARE = sorted(set(range(-3, 30)) - set(LASTS))
TAMPERINGS = st.one_of(
    st.builds(
        row_changed, st.sampled_from(IDS), st.sampled_from(COLUMNS[1:]), NUMBERS, st.text("ab\x01ü…😀")
    ),
    st.builds(row_changed, st.sampled_from(IDS), st.just("id"), st.sampled_from(GAPS), st.just("")),
    st.builds(row_dropped, st.sampled_from(IDS)),
    st.builds(row_put_in, st.sampled_from(GAPS)),
    st.builds(cut_off, st.just(True), st.booleans(), st.sampled_from([0, *LASTS[:-1]])),
    st.builds(cut_off, st.just(False), st.just(True), st.sampled_from([0, *LASTS[:-1]])),
    st.builds(seal_changed, st.sampled_from(LASTS), st.sampled_from(("rows", "head")), st.integers(0, 2000)),
    st.builds(seal_changed, st.sampled_from(LASTS), st.just("sealed_ms"), NUMBERS),
    st.builds(
        seal_changed, st.sampled_from(LASTS), st.sampled_from(("first_id", "last_id")), st.integers(-30, 30)
    ),
    st.builds(seal_dropped, st.sampled_from(LASTS)),
    st.builds(seal_put_in, st.sampled_from(SPARE), st.sampled_from(LASTS), st.sampled_from(SPARE)),
)


@pytest.fixture
def chained(database: Database) -> tuple[Database, str]:
    return database, str(sealed(database, *BATCHES))


@given(tampering=TAMPERINGS, seals_at_once=st.sampled_from((1, 2, 64)))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_it_is_named(chained: tuple[Database, str], tampering: Tampering, seals_at_once: int) -> None:
    database, head = chained
    before = database.read_now(everything)
    try:
        database.write_now(tampering.change)
    except sa.exc.IntegrityError:  # the tables themselves do not take it
        return
    try:
        after = database.read_now(everything)
        result, findings = verified(database, head, seals_at_once=seals_at_once)
        if after == before:
            assert findings == []
        else:
            about = [one for one in findings if is_about(one, tampering)]
            assert about, (tampering, findings)
            assert result.findings == len(findings)
    finally:
        database.write_now(lambda connection: put_back(connection, before))


def is_about(finding: Finding, tampering: Tampering) -> bool:
    """Tell whether a finding names a row that was tampered with, or the seal."""
    overlap = finding.first_id <= tampering.last_id and finding.last_id >= tampering.first_id
    return overlap or finding.seal_id == tampering.last_id


Rows = dict[str, list[dict[str, Any]]]


def everything(connection: Connection) -> Rows:
    tables = {
        table: connection.execute(table.select().order_by(*table.primary_key))
        for table in (t.audit, t.audit_seals)
    }
    return {table.name: [dict(each._mapping) for each in rows] for table, rows in tables.items()}


def put_back(connection: Connection, rows: Rows) -> None:
    for table in (t.audit, t.audit_seals):
        connection.execute(table.delete())
        connection.execute(table.insert(), rows[table.name])
