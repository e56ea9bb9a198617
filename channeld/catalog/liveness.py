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
