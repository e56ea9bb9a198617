"""Rule: what a question costs follows what it asks for, not how much is in the channel."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event

from channeld.catalog import (
    audit,
    channels,
    files,
    labelcontents,
    listing,
    newest,
    packagerows,
    selection,
    tokens,
    viewrows,
    views,
)
from channeld.catalog.database import Database
from channeld.catalog.labels import get as get_label
from channeld.catalog.listing import Wanted
from channeld.catalog.selection import Selection
from tests.support.bulk import fill
from tests.support.catalog import (
    NOW,
    actor,
    add,
    artifact,
    make_channel,
    relabel,
    take_lease,
    view_key,
)

ALPHA = artifact()


def test_a_whole_view_is_read_a_few_rows_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewrows, "_ROWS_AT_ONCE", 50)
    make_channel(database)
    fill(database, 2000, record=b"x" * 4096)
    cursors: list[object] = []

    with database.snapshot() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: cursors.append(args[1]))
        key = view_key(connection)
        tracemalloc.start()
        count = sum(1 for _ in viewrows.view_rows(connection, key))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert count == 2000
    assert peak < 2_000_000  # of 8 MB of records
    if database.read_engine.dialect.name == "postgresql":
        # otherwise the driver would hold the whole answer, where tracemalloc does not look
        assert isinstance(cursors[-1], psycopg.ServerCursor)


def test_streaming_one_view_does_not_change_how_the_snapshot_answers_others(database: Database) -> None:
    make_channel(database)

    with database.snapshot() as connection:
        before = connection.get_execution_options()
        list(viewrows.view_rows(connection, view_key(connection)))
        assert connection.get_execution_options() == before


def read_view(connection: Connection) -> object:
    return list(viewrows.view_rows(connection, view_key(connection), frozenset({ALPHA.filename, "x"})))


def read_names(connection: Connection) -> object:
    return list(viewrows.rows_of_names(connection, view_key(connection), frozenset({"alpha", "p000002"})))


def read_channeldata(connection: Connection) -> object:
    return labelcontents.shown_files(connection, view_key(connection), ["alpha"], None)


def read_newest(connection: Connection) -> object:
    channel = channels.get(connection, "chan")
    return newest.newest(connection, get_label(connection, channel, "main"), "noarch", 10)


def read_file(connection: Connection) -> object:
    return selection.newest(connection, channels.get(connection, "chan"), "noarch", ALPHA.filename)


def break_it(connection: Connection) -> object:
    return relabel(connection, Selection(name="alpha"), add=["broken"])


def flip(connection: Connection) -> object:
    files.add(connection, "chan", ALPHA, ["flipped"], actor())
    work = views.dirty_work(connection, channels.get(connection, "chan").id)
    assert work is not None
    flips = [views.Flip(one.key, 0, b"{}", [(bytes(32), "p", 0, 1)]) for one in work.views]
    return views.flip(connection, work, flips, 1, NOW)


ASKED: list[Callable[[Connection], object]] = [
    read_view,
    read_names,
    read_channeldata,
    read_newest,
    read_file,
    break_it,
    flip,
    lambda c: audit.newest(c, channel="chan"),
    lambda c: selection.select(c, channels.get(c, "chan"), Selection(name="alpha", version="1.0")),
    lambda c: selection.select(c, channels.get(c, "chan"), Selection(name="alpha", label="main")),
    lambda c: selection.select(c, channels.get(c, "chan"), Selection(filename=ALPHA.filename)),
    lambda c: listing.page(c, channels.get(c, "chan"), Wanted(filename=ALPHA.filename, label="main"), 10),
    lambda c: listing.page(c, channels.get(c, "chan"), Wanted(name="alpha"), 10),
    lambda c: list(packagerows.details(c, [1, 2])),
    lambda c: tokens.find_valid(c, f"cd-{'a' * 12}-{'b' * 32}", NOW),
    lambda c: files.add(c, "chan", artifact("beta"), ["main", "new"], actor()),
    lambda c: files.delete(c, "chan", "noarch", ALPHA.filename, actor()),
]


#: How a plan says that it goes through all files of a channel, or of a view.
WHOLE_CHANNEL = (" (channel_id=?)", "file_labels USING PRIMARY KEY (label_id=? AND subdir=?)")


class TestOnSqlite:
    """SQLite says beforehand how it will go about a statement."""

    @pytest.fixture
    def backend(self) -> str:
        return "sqlite"

    @pytest.mark.parametrize("ask", ASKED)
    def test_no_table_is_read_through(self, database: Database, ask: Callable[[Connection], object]) -> None:
        make_channel(database)
        fill(database, 200)
        add(database, ALPHA)
        take_lease(database)
        database.write_now(lambda c: c.exec_driver_sql("DELETE FROM dirty"))
        asked: list[tuple[str, Any]] = []
        event.listen(
            database.write_engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3]))
        )
        database.write_now(ask)

        plans = []
        for statement, values in asked:
            if statement.split()[0] in ("SELECT", "UPDATE", "DELETE") and "FROM dirty" not in statement:
                one = values[0] if isinstance(values, list) else values
                plans += database.read_now(
                    lambda c, statement=statement, one=one: c.exec_driver_sql(  # type: ignore[misc]
                        f"EXPLAIN QUERY PLAN {statement}", one
                    ).all()
                )
        steps = [str(step.detail) for step in plans]
        assert steps
        assert [step for step in steps if step.startswith("SCAN") or step.endswith(WHOLE_CHANNEL)] == []
