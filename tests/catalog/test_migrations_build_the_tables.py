"""Rule: the migrations build exactly the tables that ``catalog.tables`` describes."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from channeld.catalog import schema
from channeld.catalog.database import Database, open_database
from channeld.catalog.tables import metadata

# What a database itself says of its tables. Everything that alembic made for itself is left out.
SQLITE = """
SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL ORDER BY type, name
"""
POSTGRESQL = (
    """
    SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable,
           column_default, collation_name
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%' ORDER BY 1, 3
    """,
    """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%' ORDER BY 1, 2
    """,
    """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT LIKE 'alembic%' ORDER BY 1
    """,
)


def described(connection: Connection) -> list[tuple[object, ...]]:
    """Return what the database says of its tables, columns, constraints and indexes."""
    if connection.dialect.name == "sqlite":
        return [(row.type, row.name, lines(row.sql)) for row in connection.execute(sa.text(SQLITE))]
    return [tuple(row) for query in POSTGRESQL for row in connection.execute(sa.text(query))]


def lines(statement: str) -> list[str]:
    """Take a CREATE apart; the constraints of a table may stand in any order."""
    return sorted(line.strip().rstrip(",") for line in statement.splitlines() if line.strip())


def test_they_build_what_the_metadata_would(database: Database, empty_database_url: str) -> None:
    other = open_database(empty_database_url)
    other.write_now(metadata.create_all)

    assert database.read_now(described) == other.read_now(described)
    other.close()


def test_alembic_finds_no_difference(database: Database) -> None:
    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)

    assert database.read_now(differences) == []


def test_the_revision_is_the_newest(database: Database) -> None:
    assert schema.current_revision(database) == schema.newest_revision()


def test_the_revisions_are_those_that_alembic_knows() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    known = [script.revision for script in scripts.walk_revisions()]
    assert schema.revisions() == tuple(reversed(known))
    assert schema.newest_revision() == scripts.get_current_head()
