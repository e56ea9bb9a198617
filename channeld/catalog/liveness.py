"""Is it live? A change is, once no dirty row of its channel is as old as it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t


def live(connection: Connection, channel_id: int, revision: int) -> bool:
    """Tell whether every change of a channel up to a revision is published."""
    waiting = (
        sa.select(t.dirty.c.id)
        .where(t.dirty.c.channel_id == channel_id, t.dirty.c.revision <= revision)
        .limit(1)
    )
    return connection.execute(waiting).first() is None


def oldest_waiting(connection: Connection, channel_id: int) -> int | None:
    """Return the revision of the oldest change of a channel that waits to be published; None when all is live."""
    oldest = sa.select(sa.func.min(t.dirty.c.revision)).where(t.dirty.c.channel_id == channel_id)
    revision: int | None = connection.execute(oldest).scalar()
    return revision
