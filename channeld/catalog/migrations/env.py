"""Alembic's entry: runs the revisions on the connection, and in the transaction, that ``catalog.schema`` gives it."""

from __future__ import annotations

from alembic import context

from channeld.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    transactional_ddl=True,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
context.run_migrations()
