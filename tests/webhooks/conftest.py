"""What is kept of webhooks has to hold on both databases; how they are sent is tested on one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from channeld.catalog.database import Database, open_database
from tests.support.databases import (
    backend,
    database,
    database_url,
    empty_database_url,
    postgres_server,
    sqlite_template,
)

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]


@pytest.fixture
def catalog(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated catalog in SQLite."""
    path = tmp_path / "catalog.sqlite"
    shutil.copyfile(sqlite_template, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.close()
