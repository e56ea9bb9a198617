"""A catalog's file with all tables and no rows, made once in a process: migrating takes longer than most tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from channeld.catalog import schema
from channeld.catalog.database import open_database
from channeld.settings import Settings


@cache
def migrated_sqlite() -> bytes:
    """Return the file of an SQLite catalog that has been migrated."""
    with tempfile.TemporaryDirectory(prefix="channeld-template-") as folder:
        path = Path(folder) / "catalog.sqlite"
        database = open_database(f"sqlite:///{path}")
        schema.upgrade(database)
        database.close()
        return path.read_bytes()


def lay_out_catalog(settings: Settings) -> None:
    """Give a data directory that has no catalog yet a migrated one."""
    path = settings.storage.data_dir / "catalog.sqlite"
    if settings.storage.database_url or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(migrated_sqlite())
