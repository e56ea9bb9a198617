"""The chain of the audit is tested on both databases."""

from __future__ import annotations

from tests.support.databases import backend, database, database_url, postgres_server, sqlite_template

__all__ = ["backend", "database", "database_url", "postgres_server", "sqlite_template"]
