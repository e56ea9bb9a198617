"""The tables' revision: bringing a database up to date, and refusing one that a newer channeld has changed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from channeld.catalog.database import Database
from channeld.catalog.rejections import SchemaTooNew, SchemaTooOld

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


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
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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


@cache
def newest_revision() -> str:
    """Return the revision that this program works with."""
    return str(_scripts().get_current_head())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(found, newest_revision())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # "%" is the sign of interpolation in what alembic keeps its options in
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
