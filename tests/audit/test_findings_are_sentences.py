"""What verifying finds is told in sentences with ids; neighbouring rows with the same fate in one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.chain import Head
from channeld.catalog.database import Database
from channeld.catalog.verifying import verify
from tests.support.audits import row, sealed, verified, write_rows

BATCHES = ([1, 2, 3], [4, 5, 6], [9, 10], [11])

Change = Callable[[Connection], object]


def altered(*ids: int) -> Change:
    return lambda c: c.execute(t.audit.update().where(t.audit.c.id.in_(ids)).values(actor="mallory"))


def dropped(*ids: int) -> Change:
    return lambda c: c.execute(t.audit.delete().where(t.audit.c.id.in_(ids)))


def put_in(*ids: int) -> Change:
    return lambda c: c.execute(t.audit.insert(), [row(each) for each in ids])


def unsealed(*last_ids: int) -> Change:
    return lambda c: c.execute(t.audit_seals.delete().where(t.audit_seals.c.last_id.in_(last_ids)))


def seal_altered(last_id: int) -> Change:
    mine = t.audit_seals.c.last_id == last_id
    return lambda c: c.execute(t.audit_seals.update().where(mine).values(sealed_ms=0))


def unvouched(seal: int, rows: str) -> str:
    return (
        f"The seal {seal} was changed or put in: it does not follow from the one before it, and what it says of "
        f"{rows} proves nothing."
    )


CASES: list[tuple[list[Change], list[str]]] = [
    ([altered(5)], ["Row 5 was altered after it was sealed."]),
    ([altered(2, 3, 4), altered(9)], [
        "Rows 2 to 4 were altered after they were sealed.",
        "Row 9 was altered after it was sealed.",
    ]),
    ([dropped(6)], ["Row 6 is missing: it was sealed, and deleted later."]),
    ([dropped(6, 9, 10, 11)], ["Rows 6 to 11 are missing: they were sealed, and deleted later."]),
    ([altered(2), dropped(3)], [
        "Row 2 was altered after it was sealed.",
        "Row 3 is missing: it was sealed, and deleted later.",
    ]),
    ([put_in(7)], ["Row 7 was put in after the rows around it had been sealed."]),
    ([put_in(-1, 0, 7, 8)], [
        "Rows -1 to 0 were put in after the rows around them had been sealed.",
        "Rows 7 to 8 were put in after the rows around them had been sealed.",
    ]),
    ([unsealed(3)], ["The seal of the rows 1 to 3 is missing: nothing vouches for them."]),
    ([unsealed(6, 10)], ["The seal of the rows 4 to 10 is missing: nothing vouches for them."]),
    ([seal_altered(11)], [
        unvouched(11, "row 11"),
    ]),
    ([seal_altered(6), altered(10)], [
        unvouched(6, "the rows 4 to 6"),
        "Row 10 was altered after it was sealed.",
    ]),
    ([unsealed(11)], ["The chain ends before row 11, which the noted head covers: its end was cut off."]),
    ([unsealed(10, 11), dropped(9, 10, 11)], [
        "The chain ends before the rows 7 to 11, which the noted head covers: its end was cut off.",
    ]),
    ([unsealed(3, 6, 10, 11)], [
        "The chain ends before the rows 1 to 11, which the noted head covers: its end was cut off.",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "sentences"), CASES, ids=lambda value: None)
def test_each_thing_is_told(database: Database, changes: list[Change], sentences: list[str]) -> None:
    head = sealed(database, *BATCHES)
    for change in changes:
        database.write_now(lambda connection: (change(connection), None)[1])  # noqa: B023
    result, findings = verified(database, head)

    assert [finding.sentence() for finding in findings] == sentences
    assert result.findings == len(sentences)
    assert not result.is_sound


def rewrite(database: Database) -> Head:
    """Change a row and seal everything anew, as somebody would who may write to the database."""
    database.write_now(lambda c: (altered(5)(c), unsealed(3, 6, 10, 11)(c), None)[-1])
    return sealed(database)


def test_a_chain_that_was_made_anew_is_told_by_the_head(database: Database) -> None:
    head = sealed(database, *BATCHES)
    rewrite(database)

    assert verified(database)[1] == []
    (finding,) = verified(database, head)[1]
    assert finding.sentence() == (
        "The noted head is nowhere in the chain: rows from 1 to 11 were changed and sealed anew, or the end of the "
        "chain was cut off and others took its place."
    )


def test_other_rows_in_the_place_of_a_cut_off_end_are_told(database: Database) -> None:
    head = sealed(database, *BATCHES)
    database.write_now(lambda c: (unsealed(10, 11)(c), dropped(9, 10, 11)(c), None)[-1])
    sealed(database, [9, 10, 11, 12])

    assert verified(database)[1] == []
    for noted in (head, head.hash.hex()):
        (finding,) = verified(database, noted)[1]
        assert (finding.rule, finding.first_id) == ("head_differs", 1)


def test_every_head_that_ever_was_is_met(database: Database) -> None:
    heads = [sealed(database), sealed(database, [1, 2]), sealed(database, [3], [4, 5, 6])]
    write_rows(database, [row(8)])
    for head in heads:
        for noted in (head, head.hash.hex()):
            result, findings = verified(database, noted)
            assert findings == []
            assert (result.seals, result.rows, result.head, result.waiting) == (3, 6, heads[-1], 1)


def test_progress_grows_to_the_last_row(database: Database) -> None:
    sealed(database, *BATCHES)
    seen: list[tuple[int, int]] = []
    verify(
        database, None, lambda finding: None, lambda done, total: seen.append((done, total)), seals_at_once=2
    )
    assert seen == [(6, 11), (11, 11)]


def test_verifying_changes_nothing(database: Database) -> None:
    sealed(database, *BATCHES)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    sa.event.listen(database.write_engine, "before_cursor_execute", note)
    try:
        verified(database)
    finally:
        sa.event.remove(database.write_engine, "before_cursor_execute", note)
    assert statements == []
