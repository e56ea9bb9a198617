"""The catalog's tests run on both databases."""

from __future__ import annotations

from tests.support.databases import (
    backend,
    database,
    database_url,
    empty_database_url,
    postgres_server,
    sqlite_template,
)

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]
