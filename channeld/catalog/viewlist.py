"""Every view of the catalog with its generations: for what looks at all of them, some at a time."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.views import Generation, ViewKey

_AT_ONCE = 200  # rows held in memory together; one has a few kilobytes


def current(connection: Connection, channel_id: int | None = None) -> Iterator[tuple[ViewKey, Generation]]:
    """Yield each view, of one channel or of all, with the generation that its pointer names."""
    query = _VIEWS.where(t.generations.c.number == t.views.c.generation)
    yield from _read(connection, query, channel_id)


def recent(connection: Connection) -> Iterator[tuple[ViewKey, Generation]]:
    """Yield each view with the generation that its pointer names, and with the one before."""
    yield from _read(connection, _VIEWS.where(t.generations.c.number >= t.views.c.generation - 1), None)


def _read(
    connection: Connection, query: sa.Select[tuple[object, ...]], channel_id: int | None
) -> Iterator[tuple[ViewKey, Generation]]:
    if channel_id is not None:
        query = query.where(t.views.c.channel_id == channel_id)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        key = ViewKey(
            row.channel_id, row.label_id, row.subdir, row.channel, row.label, row.kind == "standard"
        )
        yield key, Generation(row.view_id, row.number, row.revision, row.published_ms, row.documents)


_VIEWS = (
    sa.select(
        t.views.c.channel_id,
        t.views.c.label_id,
        t.views.c.subdir,
        t.channels.c.name.label("channel"),
        t.channels.c.kind,
        t.labels.c.name.label("label"),
        t.generations,
    )
    .join(t.generations, t.generations.c.view_id == t.views.c.id)
    .join(t.channels, t.channels.c.id == t.views.c.channel_id)
    .join(t.labels, t.labels.c.id == t.views.c.label_id)
    .order_by(t.views.c.id, t.generations.c.number)
)


def generations(
    connection: Connection, channel_id: int, after: tuple[int, int], limit: int
) -> list[Generation]:
    """List kept generations of a channel in the order of (view id, number), some at a time."""
    table = t.generations
    query = (
        sa.select(table)
        .join(t.views, t.views.c.id == table.c.view_id)
        .where(
            t.views.c.channel_id == channel_id,
            sa.tuple_(table.c.view_id, table.c.number) > sa.tuple_(*map(sa.literal, after)),
        )
        .order_by(table.c.view_id, table.c.number)
        .limit(limit)
    )
    return [
        Generation(row.view_id, row.number, row.revision, row.published_ms, row.documents)
        for row in connection.execute(query)
    ]


def shard_places(
    connection: Connection, channel_id: int, after: bytes, limit: int
) -> list[tuple[bytes, str, int]]:
    """List the shards of a channel in the order of their hashes, some at a time, as (sha256, pack, start)."""
    table = t.shards
    query = (
        sa.select(table.c.sha256, table.c.pack, table.c.start)
        .where(table.c.channel_id == channel_id, table.c.sha256 > after)
        .order_by(table.c.sha256)
        .limit(limit)
    )
    return [(row.sha256, row.pack, row.start) for row in connection.execute(query)]
