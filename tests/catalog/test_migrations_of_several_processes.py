"""Rule: whoever starts first brings the tables up to date, once; a program that does not know them does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations

from channeld.catalog import channels, schema
from channeld.catalog import tables as t
from channeld.catalog.database import Database, SqliteDatabase, open_database
from channeld.catalog.rejections import SchemaTooNew, SchemaTooOld
from channeld.catalog.unavailable import CatalogUnavailable
from tests.support.catalog import dump, make_channel

START = """
import sys
from channeld.catalog import schema
from channeld.catalog.database import open_database
database = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
schema.upgrade(database)
schema.check(database)
database.close()
"""


def test_several_processes_may_start_at_once(empty_database_url: str) -> None:
    root = Path(schema.__file__).parents[2]
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", START, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=root,
            text=True,
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    endings = [(process.communicate(timeout=60)[1], process.returncode) for process in starting]

    assert endings == [("", 0)] * 4
    database = open_database(empty_database_url)
    assert schema.current_revision(database) == schema.newest_revision()
    assert make_channel(database).name == "chan"
    database.close()


@pytest.fixture
def empty(empty_database_url: str) -> Database:
    return open_database(empty_database_url)


def test_an_empty_database_is_told_from_one_that_is_up_to_date(empty: Database) -> None:
    assert schema.current_revision(empty) is None
    with pytest.raises(SchemaTooOld, match="'none'"):
        schema.check(empty)

    schema.upgrade(empty)
    schema.check(empty)

    assert schema.current_revision(empty) == schema.newest_revision()
    empty.close()


def test_bringing_up_to_date_again_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    make_channel(empty)
    before = dump(empty)

    schema.upgrade(empty)

    assert dump(empty) == before
    empty.close()


def test_tables_of_a_newer_program_are_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    empty.write_now(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    before = dump(empty)

    for start in (schema.upgrade, schema.check):
        with pytest.raises(SchemaTooNew) as rejection:
            start(empty)
        assert (rejection.value.found, rejection.value.known) == ("9999", schema.newest_revision())
    assert dump(empty) == before
    empty.close()


def test_a_migration_that_fails_leaves_the_tables_as_they_were(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_late(connection: sa.Connection, *_args: object, **_options: object) -> None:
        t.metadata.create_all(connection)
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: fail_late(config.attributes["connection"]))
        with pytest.raises(OSError, match="power"):
            schema.upgrade(empty)

    assert empty.read_now(lambda c: sa.inspect(c).get_table_names()) == []
    schema.upgrade(empty)
    assert empty.read_now(channels.every) == []
    empty.close()


def test_a_table_can_be_made_anew_without_losing_what_refers_to_it(database: Database) -> None:
    """SQLite changes a column by making the table anew and dropping the old one: its children must survive that."""
    if not isinstance(database, SqliteDatabase):
        return  # PostgreSQL alters tables in place
    make_channel(database)
    before = dump(database)

    with database.migration() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("channels", recreate="always") as table:
            table.alter_column("description", nullable=True)

    assert dump(database) == before


def test_a_migration_that_leaves_loose_ends_is_undone(database: Database) -> None:
    if not isinstance(database, SqliteDatabase):
        return  # PostgreSQL refuses such a statement at once
    make_channel(database)
    before = dump(database)

    def lose_channels() -> None:
        with database.migration() as connection:
            connection.exec_driver_sql("DELETE FROM channels")

    with pytest.raises(CatalogUnavailable, match="labels"):
        lose_channels()
    assert dump(database) == before
