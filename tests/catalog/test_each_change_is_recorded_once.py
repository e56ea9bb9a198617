"""Rule: every change is one revision, one audit row, and marks on exactly the views that it touches.

And nothing at all where nothing changes. The table has every function of the catalog that changes a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from channeld.catalog import audit, channels, files, labels, notices
from channeld.catalog.audit import Actor, AuditRow
from channeld.catalog.database import Database
from channeld.catalog.selection import Selection
from channeld.formats.notices import Notice
from tests.support.catalog import (
    NOW,
    UNCHANGED,
    Mark,
    Observed,
    actor,
    add,
    artifact,
    make_channel,
    observe,
    relabel,
)

ALPHA, BETA, GAMMA = artifact("alpha"), artifact("beta"), artifact("gamma", subdir="linux-64")
FILE = ALPHA.filename
SELECTED = Selection(filename=FILE)
SUBJECT = f"noarch/{FILE}"
NOTICE = Notice("n1", "hello", "info", datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Case:
    """A change, and what it is to leave in the books."""

    name: str
    change: Callable[[Connection], object]
    marks: list[Mark]
    action: tuple[str, str]


CASES = [
    Case(
        "add",
        lambda c: files.add(c, "chan", BETA, ["main", "dev"], actor()),
        [("dev", "noarch", BETA.filename), ("main", "noarch", BETA.filename)],
        ("file.add", f"noarch/{BETA.filename}"),
    ),
    Case(
        "relabel by upload",
        lambda c: files.add(c, "chan", ALPHA, ["rc"], actor()),
        [("rc", "noarch", FILE)],
        ("file.label", SUBJECT),
    ),
    Case(
        "delete file",
        lambda c: files.delete(c, "chan", "noarch", FILE, actor()),
        [("dev", "noarch", FILE), ("main", "noarch", FILE)],
        ("file.delete", SUBJECT),
    ),
    Case(
        "restore",
        lambda c: files.add(c, "chan", GAMMA, ["main"], actor()),
        [("main", "linux-64", GAMMA.filename)],
        ("file.restore", f"linux-64/{GAMMA.filename}"),
    ),
    Case(
        "add labels",
        lambda c: relabel(c, SELECTED, add=["rc", "main"]),
        [("rc", "noarch", FILE)],
        ("file.label", SUBJECT),
    ),
    Case(
        "remove labels",
        lambda c: relabel(c, SELECTED, remove=["rc", "main"]),
        [("main", "noarch", FILE)],
        ("file.label", SUBJECT),
    ),
    Case(
        "break",
        lambda c: relabel(c, SELECTED, add=["broken"]),
        [("broken", "noarch", FILE), ("dev", "noarch", FILE), ("main", "noarch", FILE)],
        ("file.label", SUBJECT),
    ),
    Case("create label", lambda c: labels.create(c, "chan", "new", actor()), [], ("label.create", "new")),
    Case(
        "lock label",
        lambda c: labels.configure(c, "chan", "dev", actor(), locked=True),
        [],
        ("label.configure", "dev"),
    ),
    Case(
        "relate label",
        lambda c: labels.configure(c, "chan", "dev", actor(), relations={"base": "../x"}),
        [("dev", "noarch", "")],
        ("label.configure", "dev"),
    ),
    Case(
        "delete label",
        lambda c: labels.delete(c, "chan", "dev", actor()),
        [("dev", "noarch", "")],
        ("label.delete", "dev"),
    ),
    Case(
        "configure channel",
        lambda c: channels.configure(c, "chan", {"description": "x"}, actor()),
        [],
        ("channel.configure", ""),
    ),
    Case("add notice", lambda c: notices.add(c, "chan", NOTICE, actor()), [], ("notice.add", "n1")),
    Case("expire notice", lambda c: notices.expire(c, "chan", "n0", actor()), [], ("notice.expire", "n0")),
]


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database)
    for label in ("broken", "rc"):
        database.write_now(lambda c, label=label: labels.create(c, "chan", label, actor()))  # type: ignore[misc]
    add(database, ALPHA, "main", "dev")
    add(database, GAMMA)
    database.write_now(lambda c: files.delete(c, "chan", "linux-64", GAMMA.filename, actor()))
    old = Notice("n0", "bye", "info", NOTICE.created_at, NOTICE.expires_at)
    database.write_now(lambda c: notices.add(c, "chan", old, actor()))
    return database


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_change_is_recorded_once(filled: Database, case: Case) -> None:
    assert observe(filled, case.change) == Observed(1, case.marks, [case.action])


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.name.startswith("delete")], ids=lambda case: case.name
)
def test_the_same_change_again_is_none(filled: Database, case: Case) -> None:
    filled.write_now(case.change)

    assert observe(filled, case.change) == UNCHANGED


def test_all_files_of_a_selection_are_one_change_with_a_row_for_each(filled: Database) -> None:
    add(filled, BETA)

    seen = observe(filled, lambda c: relabel(c, Selection(label="main"), add=["rc"]))

    assert seen == Observed(
        1,
        [("rc", "noarch", FILE), ("rc", "noarch", BETA.filename)],
        [("file.label", SUBJECT), ("file.label", f"noarch/{BETA.filename}")],
    )


def test_a_row_tells_who_did_what_when_and_why(filled: Database) -> None:
    someone = Actor("cd-abc", "192.0.2.7", NOW + 4, "does not start")
    filled.write_now(lambda c: relabel(c, SELECTED, add=["broken"], by=someone))

    row = filled.read_now(lambda c: audit.newest(c, channel="chan", limit=1))[0]

    assert row == AuditRow(
        id=row.id,
        at_ms=NOW + 4,
        actor="cd-abc",
        origin="192.0.2.7",
        action="file.label",
        channel="chan",
        subject=SUBJECT,
        before='["dev","main"]',
        after='["broken","dev","main"]',
        reason="does not start",
        revision=row.revision,
    )


def test_rows_are_paged_newest_first(filled: Database) -> None:
    make_channel(filled, "other")

    def page(channel: str, before_id: int | None = None) -> list[AuditRow]:
        return filled.read_now(lambda c: audit.newest(c, channel=channel, limit=3, before_id=before_id))

    everything = filled.read_now(lambda c: audit.newest(c, limit=1000))
    mine = [row for row in everything if row.channel == "chan"]
    assert [row.id for row in everything] == sorted((row.id for row in everything), reverse=True)
    assert page("chan") == mine[:3]
    assert page("chan", mine[2].id) == mine[3:6]
    assert page("") == everything[:3]
