"""Which artifacts the store has to have the bytes of, and under which names people know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """An artifact whose bytes are to be there. ``size`` is in bytes."""

    id: int
    sha256: str
    size: int


def stored_after(
    connection: Connection, last_id: int, limit: int, channel_id: int | None = None
) -> Sequence[StoredBytes]:
    """List artifacts by id, from behind ``last_id`` on: of one channel, or all of them."""
    table = t.artifacts
    query = (
        sa.select(table.c.id, table.c.sha256, table.c.size)
        .where(table.c.id > last_id, table.c.swept_ms.is_(None))
        .order_by(table.c.id)
        .limit(limit)
    )
    if channel_id is not None:
        mine = (t.files.c.artifact_id == table.c.id) & (t.files.c.channel_id == channel_id)
        query = query.where(sa.exists().where(mine))
    return [StoredBytes(*row) for row in connection.execute(query)]


def names_of(connection: Connection, artifact_id: int) -> list[str]:
    """List the files that an artifact is, as ``<channel>/<subdir>/<file name>``; none once it was swept."""
    query = (
        sa.select(t.channels.c.name, t.files.c.subdir, t.files.c.filename)
        .join_from(t.files, t.channels, t.files.c.channel_id == t.channels.c.id)
        .join(t.artifacts, t.files.c.artifact_id == t.artifacts.c.id)
        .where(t.files.c.artifact_id == artifact_id, t.artifacts.c.swept_ms.is_(None))
        .distinct()
    )
    return sorted("/".join(row) for row in connection.execute(query))
