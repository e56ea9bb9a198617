"""The tables' revision: bringing a database up to date, and refusing one that a newer channeld has changed.

Alembic does it, but is not asked whether it is to be done: loading it takes a quarter of every start.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog.database import Database
from channeld.catalog.rejections import SchemaTooNew, SchemaTooOld

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: Where alembic keeps the revision.
_VERSION: Final = sa.table("alembic_version", sa.column("version_num", sa.Text))


def upgrade(database: Database) -> None:
    """Bring the tables to this program's revision. Does nothing when they are; several processes may call it at once.

    All of it is one transaction: a failing migration leaves the tables as they were.

    Raises:
        SchemaTooNew: a newer channeld has been at work; nothing was changed.
        CatalogUnavailable: the database does not work, or another migration took too long.
    """
    if current_revision(database) == newest_revision():
        return
    with database.migration() as connection:
        _refuse_newer(_revision(connection))
        _migrate(connection)


def check(database: Database) -> None:
    """Make sure that this program understands the tables.

    Raises:
        SchemaTooNew: a newer channeld has changed them.
        SchemaTooOld: they have not been brought up to date.
        CatalogUnavailable: the database does not work.
    """
    found = current_revision(database)
    _refuse_newer(found)
    if found != newest_revision():
        raise SchemaTooOld(found or "", newest_revision())


def current_revision(database: Database) -> str | None:
    """Return the revision that the tables have; None when there are none yet."""
    return database.read_now(_revision)


def newest_revision() -> str:
    """Return the revision that this program works with."""
    return revisions()[-1]


@cache
def revisions() -> tuple[str, ...]:
    """List the revisions that this program knows, the oldest first: each is a module that is called ``vNNNN_what``."""
    return tuple(sorted(path.name[1:5] for path in (_MIGRATIONS / "versions").glob("v[0-9]*_*.py")))


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    revision: str | None = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    return revision


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in revisions():
        raise SchemaTooNew(found, newest_revision())


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # "%" is the sign of interpolation in what alembic keeps its options in
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
