"""Labels of many files change in one transaction, with one revision and few statements."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from channeld.catalog import bulk, channels, labels, relabelling
from channeld.catalog.bulk import Arrival, Marking
from channeld.catalog.database import Database
from channeld.catalog.listing import labels_of
from channeld.catalog.rejections import FileMissing, LabelBothWays, LabelLocked, LabelMissing, PackageMissing
from channeld.catalog.relabelling import Relabelled, Relabelling
from channeld.catalog.selection import Selection
from tests.support.catalog import (
    CHANNEL,
    NOW,
    UNCHANGED,
    Observed,
    actor,
    add,
    artifact,
    dump,
    entered,
    make_channel,
    observe,
    shown,
)

LATER = NOW + 5_000

PACKAGES = [artifact("alpha"), artifact("alpha", "2.0"), artifact("beta", subdir="linux-64")]
A1, A2, B1 = (package.filename for package in PACKAGES)


@pytest.fixture(autouse=True)
def filled(database: Database) -> None:
    make_channel(database)
    for package in PACKAGES:
        add(database, package, "dev")


def work(
    selection: Selection, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> Callable[[Connection], object]:
    asked = Relabelling((selection,), add, remove)
    return lambda connection: relabelling.apply(
        connection, CHANNEL, asked, actor(LATER), lambda changes: None
    )


def test_one_revision_marks_exactly_the_views_that_change(database: Database) -> None:
    database.write_now(lambda connection: labels.create(connection, CHANNEL, "rc", actor()))
    assert observe(database, work(Selection(label="dev"), ("main", "rc"), ("dev",))) == Observed(
        1,
        sorted(
            (label, subdir, filename)
            for label in ("dev", "main", "rc")
            for subdir, filename in (("noarch", A1), ("noarch", A2), ("linux-64", B1))
        ),
        [("file.label", f"linux-64/{B1}"), ("file.label", f"noarch/{A1}"), ("file.label", f"noarch/{A2}")],
    )
    assert [shown(database, label) for label in ("main", "rc", "dev")] == [[A1, A2], [A1, A2], []]


def test_a_broken_file_changes_in_all_its_views(database: Database) -> None:
    database.write_now(work(Selection(name="alpha"), ("broken",)))
    mended = observe(database, work(Selection(filename=A1), remove=("broken",)))
    marks = [("broken", "noarch", A1), ("dev", "noarch", A1)]
    assert mended == Observed(1, marks, [("file.label", f"noarch/{A1}")])
    assert [shown(database, label) for label in ("dev", "broken")] == [[A1], [A2]]


def test_what_is_as_asked_already_stays(database: Database) -> None:
    assert observe(database, work(Selection(label="dev"), ("dev",))) == UNCHANGED
    assert observe(database, work(Selection(name="beta", label="main"), remove=("dev",))) == UNCHANGED


def test_the_first_time_of_entry_is_kept(database: Database) -> None:
    database.write_now(work(Selection(name="alpha"), remove=("dev",)))
    database.write_now(work(Selection(name="alpha"), ("dev", "main")))
    assert entered(database, "dev") == {A1: NOW, A2: NOW}
    assert entered(database, "main") == {A1: LATER, A2: LATER}


def test_a_plan_tells_what_apply_does(database: Database) -> None:
    asked = Relabelling((Selection(label="dev"),), ("main",), ("dev",))
    before = dump(database)
    planned = database.read_now(
        lambda connection: relabelling.plan(connection, channels.get(connection, CHANNEL), asked)
    )
    assert dump(database) == before
    done, _ = database.write_now(
        lambda connection: relabelling.apply(connection, CHANNEL, asked, actor(), lambda changes: None)
    )
    assert done == planned
    assert [(one.file.filename, one.before, one.after) for one in done] == [
        (filename, ("dev",), ("main",)) for filename in (B1, A1, A2)
    ]


def test_whoever_approves_sees_the_changes_and_may_refuse(database: Database) -> None:
    seen: list[Relabelled] = []

    def refuse(changes: Sequence[Relabelled]) -> None:
        seen.extend(changes)
        raise PermissionError

    asked = Relabelling((Selection(filename=A1),), ("main",))
    before = dump(database)
    with pytest.raises(PermissionError):
        database.write_now(lambda connection: relabelling.apply(connection, CHANNEL, asked, actor(), refuse))
    assert [(one.added, one.removed) for one in seen] == [(("main",), ())]
    assert dump(database) == before


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (Relabelling((Selection(filename="none-1-0.conda"),), ("main",)), FileMissing),
        (Relabelling((Selection(name="none"),), ("main",)), PackageMissing),
        (Relabelling((Selection(name="alpha", version="3"),), ("main",)), PackageMissing),
        (Relabelling((Selection(name="none", label="dev"),), ("main",)), PackageMissing),
        (Relabelling((Selection(label="none"),), ("main",)), LabelMissing),
        (Relabelling((Selection(name="alpha"),), remove=("none",)), LabelMissing),
        (Relabelling((Selection(name="alpha"),), ("x", "y"), ("y", "x")), LabelBothWays),
        (Relabelling((Selection(name="alpha"),), ("main", "locked")), LabelLocked),
    ],
)
def test_what_cannot_be_done_whole_is_not_done_at_all(
    database: Database, asked: Relabelling, rule: type[Exception]
) -> None:
    database.write_now(lambda connection: labels.create(connection, CHANNEL, "locked", actor()))
    database.write_now(
        lambda connection: labels.configure(connection, CHANNEL, "locked", actor(), locked=True)
    )
    before = dump(database)
    with pytest.raises(rule):
        database.write_now(
            lambda connection: relabelling.apply(connection, CHANNEL, asked, actor(), lambda changes: None)
        )
    assert dump(database) == before


def test_the_number_of_statements_does_not_follow_the_number_of_files(database: Database) -> None:
    def count(order: Callable[[Connection], object]) -> int:
        statements = []

        def note(*details: object) -> None:
            statements.append(details[2])

        engine = database.write_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            database.write_now(order)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    for number in range(20):
        add(database, artifact(f"many{number}"), "many")
    few = count(work(Selection(label="dev"), ("main",), ("dev",)))
    many = count(work(Selection(label="many"), ("main",), ("many",)))
    assert many == few


def test_labels_of_files_are_found_together(database: Database) -> None:
    database.write_now(work(Selection(name="alpha"), ("main",)))
    database.write_now(work(Selection(name="beta"), remove=("dev",)))

    def look(connection: Connection) -> dict[str, tuple[str, ...]]:
        rows = connection.execute(sa.text("SELECT id, filename FROM files")).all()
        found = labels_of(connection, [row.id for row in rows])
        return {row.filename: found.get(row.id, ()) for row in rows}

    assert database.read_now(look) == {A1: ("dev", "main"), A2: ("dev", "main"), B1: ()}


def test_thousands_of_files_move_whole_or_not_at_all(database: Database, backend: str) -> None:
    count = 5000 if backend == "sqlite" else 600  # what PostgreSQL does is the same, and takes longer
    arrivals = [Arrival(artifact(f"many{number}")) for number in range(count)]
    database.write_now(
        lambda connection: bulk.add_many(connection, CHANNEL, arrivals, ["rc"], actor(), Marking.WHOLE)
    )
    asked = Relabelling((Selection(label="rc"),), ("main",), ("rc",))

    def carried(label: str) -> int:
        def ask(connection: Connection) -> int:
            channel = channels.get(connection, CHANNEL)
            return labels.count_files(connection, labels.get(connection, channel, label))

        return database.read_now(ask)

    def then_fail(connection: Connection) -> None:
        relabelling.apply(connection, CHANNEL, asked, actor(), lambda changes: None)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        database.write_now(then_fail)
    assert (carried("rc"), carried("main")) == (count, 0)
    seen = observe(database, work(Selection(label="rc"), ("main",), ("rc",)))

    assert (carried("rc"), carried("main")) == (0, count)
    assert (seen.revisions, len(seen.marks), len(seen.actions)) == (1, 2 * count, count)
    assert observe(database, work(Selection(label="rc"), ("main",), ("rc",))) == UNCHANGED


def test_two_moves_at_once_do_not_share_a_file(database: Database) -> None:
    """Whichever comes first moves all of them; the other one finds none, and nothing is under both."""
    start = threading.Barrier(2)

    def move(label: str) -> int:
        asked = Relabelling((Selection(label="dev"),), (label,), ("dev",))
        start.wait(10)
        changes, _ = database.write_now(
            lambda connection: relabelling.apply(connection, CHANNEL, asked, actor(), lambda changes: None)
        )
        return len(changes)

    with ThreadPoolExecutor(2) as threads:
        moved = dict(zip(("one", "two"), threads.map(move, ("one", "two")), strict=True))
    assert sorted(moved.values()) == [0, 3]
    winner = max(moved, key=lambda label: moved[label])
    names = database.read_now(
        lambda connection: [one.name for one in labels.every(connection, channels.get(connection, CHANNEL))]
    )
    assert names == sorted({"dev", "main", winner})  # a label that nothing gets is not created
    assert (shown(database, winner), shown(database, "dev")) == ([A1, A2], [])
