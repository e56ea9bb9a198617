"""Rule: a page has what the filters ask for, newest first, whichever index it comes from; pages join without a gap."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from channeld.catalog import trail
from channeld.catalog.audit import AuditRow
from channeld.catalog.database import Database
from channeld.catalog.trail import Wanted
from tests.support.audits import read_rows, row, sealed, write_rows
from tests.support.catalog import NOW

CHANNELS = ("", "chan", "other", "%", "chan_")
ACTIONS = ("file.add", "file.label", "channel.create", "file", "filex.add")
ACTORS = ("a1", "b2", "channeld import", "a")
SUBJECTS = ("", "noarch/alpha-1.0-0.conda", "noarch/alpha-2.0-0.conda", "noarch/ü-1-0.conda", "*", "noarch/")
REASONS = ("", "", "Broken build", "50% off_", "UNDER_score")
ROWS = 60


@pytest.fixture(params=[trail._COMMON, 5], ids=["all are rare", "some are common"])
def filled(database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Rows whose times do not follow their ids; and another idea of what is common."""
    monkeypatch.setattr(trail, "_COMMON", request.param)
    chance = random.Random(7)
    write_rows(
        database,
        [
            row(
                number,
                at_ms=NOW + chance.randrange(30),
                channel=chance.choice(CHANNELS),
                action=chance.choice(ACTIONS),
                actor=chance.choice(ACTORS),
                subject=chance.choice(SUBJECTS),
                reason=chance.choice(REASONS),
            )
            for number in range(1, ROWS + 1)
        ],
    )
    return database


def fits(found: str, wanted: str) -> bool:
    return found.startswith(wanted[:-1]) if wanted.endswith("*") else wanted in ("", found)


def expected(rows: list[AuditRow], wanted: Wanted) -> list[AuditRow]:
    """Filter as it is described."""
    return [
        each
        for each in rows
        if wanted.channel in ("", each.channel)
        and fits(each.action, wanted.action)
        and fits(each.actor, wanted.actor)
        and fits(each.subject, wanted.subject)
        and wanted.reason.lower() in each.reason.lower()
        and (wanted.since_ms is None or each.at_ms >= wanted.since_ms)
        and (wanted.until_ms is None or each.at_ms < wanted.until_ms)
    ]


def some(*texts: str) -> st.SearchStrategy[str]:
    starts = [f"{text[:cut]}*" for text in texts for cut in range(len(text))]
    return st.one_of(st.just(""), st.sampled_from(texts), st.sampled_from(starts))


TIMES = st.none() | st.integers(NOW - 2, NOW + 32)
WANTED = st.builds(
    Wanted,
    channel=st.sampled_from((*CHANNELS, "*", "none")),
    action=some(*ACTIONS),
    actor=some(*ACTORS),
    subject=some(*SUBJECTS),
    reason=st.sampled_from(("", "", "broken", "BUILD", "%", "_", "/", "x")),
    since_ms=TIMES,
    until_ms=TIMES,
)


@given(wanted=WANTED, limit=st.integers(1, ROWS))
@example(wanted=Wanted(), limit=7)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_have_what_fits(filled: Database, wanted: Wanted, limit: int) -> None:
    rows = sorted(read_rows(filled), key=lambda each: (each.at_ms, each.id), reverse=True)

    def every_page(connection: Connection) -> list[AuditRow]:
        found: list[AuditRow] = []
        before_id = None
        while page := trail.page(connection, wanted, limit=limit, before_id=before_id):
            assert len(page) <= limit
            found += page
            before_id = page[-1].id
        return found

    assert filled.read_now(every_page) == expected(rows, wanted)


@given(wanted=WANTED, limit=st.integers(1, ROWS), after_id=st.integers(0, ROWS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_following_has_what_fits_and_is_sealed(
    filled: Database, wanted: Wanted, limit: int, after_id: int
) -> None:
    head = sealed(filled)
    rows = [each for each in read_rows(filled) if each.id > after_id]

    def every_step(connection: Connection) -> list[AuditRow]:
        found: list[AuditRow] = []
        reached, last = after_id, -1
        while reached != last:
            last = reached
            page, reached = trail.following(connection, wanted, after_id=last, limit=limit)
            found += page
        assert reached == max(after_id, head.last_id)
        return found

    assert filled.read_now(every_step) == expected(rows, wanted)


def test_what_is_not_sealed_comes_later_and_once(database: Database) -> None:
    head = sealed(database, [1, 2], [4])
    write_rows(database, [row(5)])

    first = database.read_now(lambda c: trail.following(c, Wanted(), after_id=1))
    write_rows(database, [row(3)])  # as if it had been committed late; it was never to be told
    after = sealed(database, [6])
    then = database.read_now(lambda c: trail.following(c, Wanted(), after_id=first[1]))

    assert ([each.id for each in first[0]], first[1]) == ([2, 4], head.last_id)
    assert ([each.id for each in then[0]], then[1]) == ([5, 6], after.last_id)


def test_a_step_of_following_looks_at_few_ids(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rare what is looked for."""
    monkeypatch.setattr(trail, "_STRIDE", 10)
    sealed(database, range(1, 26))
    reached, steps = 0, []
    for _ in range(4):
        rows, reached = database.read_now(
            lambda c: trail.following(c, Wanted(actor="nobody"), after_id=reached)  # noqa: B023
        )
        steps.append((rows, reached))
    assert steps == [([], 10), ([], 20), ([], 25), ([], 25)]


class TestOnSqlite:
    """SQLite says beforehand how it will go about a statement."""

    @pytest.fixture
    def backend(self) -> str:
        return "sqlite"

    @pytest.mark.parametrize("before_id", [None, 3])
    @pytest.mark.parametrize(
        ("wanted", "index"),
        [
            (Wanted(), "at_ms_id"),
            (Wanted(channel="chan"), "channel_at_ms_id (channel=?"),
            (Wanted(actor="a1"), "actor_at_ms_id (actor=?"),
            (Wanted(action="file.add"), "action_at_ms_id (action=?"),
            (Wanted(subject="noarch/"), "subject_at_ms_id (subject=?"),
            (Wanted(subject="noarch/al*"), "subject_at_ms_id (subject>? AND subject<?"),
            (Wanted(since_ms=NOW), "at_ms_id (at_ms>?"),
            (Wanted(since_ms=NOW, until_ms=NOW + 9), "at_ms_id (at_ms>? AND at_ms<?"),
            (Wanted(channel="chan", since_ms=NOW), "channel_at_ms_id (channel=? AND at_ms>?"),
            (Wanted(reason="x"), "with_reason"),
            # the rarest of several
            (Wanted(channel="chan", actor="a1", action="file.add"), "action_at_ms_id (action=?"),
            (Wanted(channel="chan", actor="rare"), "actor_at_ms_id (actor=?"),
            (Wanted(channel="chan", action="file.*", subject="no*"), "channel_at_ms_id (channel=?"),
            (Wanted(action="file.*"), "at_ms_id"),  # most of them fit
        ],
        ids=lambda value: str(value) if isinstance(value, str) else None,
    )
    def test_each_filter_has_its_index(
        self,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        wanted: Wanted,
        index: str,
        before_id: int | None,
    ) -> None:
        monkeypatch.setattr(trail, "_COMMON", 8)
        rows = [row(number, channel="chan", actor="a1") for number in range(1, 30)]
        rows += [row(number, subject="noarch/alpha", action="x") for number in range(30, 34)]
        rows[0]["action"] = rows[1]["action"] = "file.label"
        for each in rows[2:]:
            each["action"] = "file.other"
        write_rows(database, rows)

        plan = plan_of(database, wanted, before_id)
        assert [line.partition(" INDEX ix_audit_")[2].startswith(index) for line in plan[:1]] == [True], plan
        sorts = any("TEMP B-TREE" in line for line in plan)
        assert sorts == (wanted.subject == "noarch/al*"), plan


def plan_of(database: Database, wanted: Wanted, before_id: int | None) -> list[str]:
    """Return how SQLite goes about the last statement of a page."""
    asked: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(database.read_engine, "before_cursor_execute", note)
    try:
        database.read_now(lambda c: trail.page(c, wanted, limit=5, before_id=before_id))
    finally:
        sa.event.remove(database.read_engine, "before_cursor_execute", note)
    statement, parameters = asked[-1]
    return database.read_now(
        lambda c: [each[3] for each in c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]  # type: ignore[arg-type]
    )
