"""Rule: a view's rows come in the byte order of file names, on both databases."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog import viewrows
from channeld.catalog.database import Database
from channeld.catalog.files import add as add_file
from channeld.catalog.viewrows import ViewRow
from tests.support.catalog import NOW, actor, add, artifact, make_channel, rows, view_key

#: Where the order by bytes differs from those that people, and other collations, use.
TRICKY = ("a", "A", "a_b", "a-b", "a.b", "ab", "B", "_a", "a0", "a10", "a2", "z", "Z")


def test_rows_come_in_byte_order(database: Database) -> None:
    make_channel(database)
    for name in TRICKY:
        add(database, artifact(name))
    expected = sorted(artifact(name).filename for name in TRICKY)

    assert [row.filename for row in rows(database)] == expected
    assert [row.filename for row in rows(database, filenames=expected[::-1])] == expected
    assert [row.filename for row in rows(database, filenames=expected[3:5])] == expected[3:5]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("aAbB09._-+", min_size=1, max_size=6), min_size=1, max_size=30, unique=True))
def test_every_set_of_names_comes_in_byte_order(database: Database, names: list[str]) -> None:
    database.write_now(lambda c: c.execute(t.channels.delete()))
    make_channel(database)

    def fill(connection: Connection) -> None:
        for name in names:
            add_file(connection, "chan", artifact(name), ["main"], actor())

    database.write_now(fill)

    expected = sorted(artifact(name).filename for name in names)
    assert [row.filename for row in rows(database)] == expected
    assert [row.filename for row in rows(database, filenames=expected)] == expected


def test_a_row_tells_what_documents_need(database: Database) -> None:
    make_channel(database)
    alpha = artifact()
    added = add(database, alpha, now_ms=NOW + 3)

    assert rows(database) == [
        ViewRow(
            filename=alpha.filename,
            name="alpha",
            section="packages.conda",
            record=alpha.record,
            run_exports=alpha.run_exports,
            indexed_ms=NOW + 3,
            artifact_id=added.file.artifact_id,
            shown=True,
            labelled=True,
        )
    ]


def test_the_rows_of_some_packages_are_those_that_the_view_has_of_them(database: Database) -> None:
    make_channel(database)
    for name in ("alpha", "beta", "gamma"):
        for version in ("1.0", "2.0"):
            add(database, artifact(name, version))
    add(database, artifact("alpha", "9.0", subdir="linux-64"))
    add(database, artifact("alpha", "9.0"), "dev")

    found = database.read_now(
        lambda c: list(viewrows.rows_of_names(c, view_key(c), frozenset({"gamma", "alpha", "nothing"})))
    )

    assert found == [row for row in rows(database) if row.name != "beta"]
