"""A staging channel, a production channel and a feedstock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import backend, database, database_url, postgres_server, sqlite_template
from tests.support.promotion import Bench, bench

__all__ = ["backend", "database", "database_url", "postgres_server", "sqlite_template"]


@pytest.fixture
def stage(tmp_path: Path, sqlite_template: Path) -> Iterator[Bench]:
    """Both channels, and the feedstock alpha with its outputs alpha, beta and gamma."""
    with bench(tmp_path, sqlite_template) as made:
        yield made


@pytest.fixture
def each_stage(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    """The same, once on SQLite and once on PostgreSQL."""
    with bench(tmp_path, url=database_url) as made:
        yield made
