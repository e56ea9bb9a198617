"""Having a view derived anew from the catalog, though nothing in the catalog changed."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.marking import Moment, mark
from channeld.catalog.views import ViewKey


def mark_view(connection: Connection, key: ViewKey, now_ms: int) -> bool:
    """Mark a view to be derived anew; False when it is marked already, or gone."""
    channel = t.channels.c
    revision = connection.execute(sa.select(channel.revision).where(channel.id == key.channel_id)).scalar()
    if revision is None or is_marked(connection, key):
        return False
    mark(connection, Moment(key.channel_id, revision, now_ms), [(key.label_id, key.subdir)])
    return True


def is_marked(connection: Connection, key: ViewKey) -> bool:
    """Tell whether a view waits to be derived anew."""
    query = sa.select(t.dirty.c.id).where(
        t.dirty.c.label_id == key.label_id, t.dirty.c.subdir == key.subdir, t.dirty.c.filename == ""
    )
    return connection.execute(query.limit(1)).first() is not None


def is_dirty(connection: Connection, key: ViewKey) -> bool:
    """Tell whether anything of a view waits to be rendered; of a channel-level one, anything of its label."""
    query = sa.select(t.dirty.c.id).where(t.dirty.c.label_id == key.label_id)
    if key.subdir:
        query = query.where(t.dirty.c.subdir == key.subdir)
    return connection.execute(query.limit(1)).first() is not None
