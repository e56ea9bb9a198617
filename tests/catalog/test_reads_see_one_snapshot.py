"""Rule: whatever one read asks, it sees the catalog as it was at one moment, and it changes nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.catalog import actor, add, artifact, dump, make_channel, rows


def count(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(t.files)).scalar_one()


def test_two_questions_of_one_read_get_the_same_answer_while_a_writer_commits(database: Database) -> None:
    make_channel(database)
    add(database, artifact("alpha"))

    with database.snapshot() as connection:
        first = (count(connection), channels.get(connection, "chan").revision)
        add(database, artifact("beta"))
        second = (count(connection), channels.get(connection, "chan").revision)

    assert first == second == (1, 2)
    assert database.read_now(count) == 2


def test_a_streamed_view_does_not_change_while_it_is_read(database: Database) -> None:
    make_channel(database)
    for name in ("a", "b"):
        add(database, artifact(name))

    with database.snapshot() as connection:
        key = channels.get(connection, "chan").id
        streamed = connection.execute(
            sa.select(t.files.c.name)
            .where(t.files.c.channel_id == key)
            .order_by(t.files.c.name)
            .execution_options(yield_per=1)
        ).scalars()
        assert next(streamed) == "a"
        add(database, artifact("c"))
        assert list(streamed) == ["b"]

    assert [row.name for row in rows(database)] == ["a", "b", "c"]


def test_a_read_cannot_write(database: Database) -> None:
    before = dump(database)

    with pytest.raises(CatalogUnavailable):
        database.read_now(lambda c: channels.create(c, "chan", channels.ChannelSettings(), actor()))
    assert dump(database) == before


async def test_reads_run_on_threads(database: Database) -> None:
    make_channel(database)

    found = await database.read(lambda connection: channels.get(connection, "chan"))

    assert found.name == "chan"


async def test_a_read_that_runs_out_of_an_iterator_says_so(database: Database) -> None:
    """StopIteration cannot travel through a future: its caller would wait for ever."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await database.read(lambda connection: next(iter(())))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await database.write(lambda connection: next(iter(())))
