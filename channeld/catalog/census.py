"""How much there is, and what waits to be published: for ``channeld status``."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of what; deleted files and labels and ended tokens do not count."""

    channels: int
    labels: int
    files: int
    artifacts: int
    tokens: int


def counts(connection: Connection, now_ms: int) -> Counts:
    """Count what the catalog holds."""

    def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return int(connection.execute(query).scalar_one())

    unexpired = sa.or_(t.tokens.c.expires_ms.is_(None), t.tokens.c.expires_ms > now_ms)
    return Counts(
        channels=count(t.channels),
        labels=count(t.labels, t.labels.c.deleted_ms.is_(None)),
        files=count(t.files, t.files.c.deleted_ms.is_(None)),
        artifacts=count(t.artifacts, t.artifacts.c.swept_ms.is_(None)),
        tokens=count(t.tokens, t.tokens.c.revoked_ms.is_(None), unexpired),
    )


@dataclass(frozen=True, slots=True)
class DirtyView:
    """A view that is not up to date."""

    channel: str
    label: str
    subdir: str
    changes: int
    #: When the oldest of the changes was committed, ms.
    since_ms: int


def dirty_views(connection: Connection, limit: int) -> list[DirtyView]:
    """List the views that wait to be published, longest waiting first."""
    query = (
        sa.select(
            t.channels.c.name.label("channel"),
            t.labels.c.name.label("label"),
            t.dirty.c.subdir,
            sa.func.count().label("changes"),
            sa.func.min(t.dirty.c.since_ms).label("since_ms"),
        )
        .join(t.channels, t.channels.c.id == t.dirty.c.channel_id)
        .join(t.labels, t.labels.c.id == t.dirty.c.label_id)
        .group_by(t.channels.c.name, t.labels.c.name, t.dirty.c.subdir)
        .order_by(sa.func.min(t.dirty.c.since_ms), t.channels.c.name, t.labels.c.name, t.dirty.c.subdir)
        .limit(limit)
    )
    return [DirtyView(**row._mapping) for row in connection.execute(query)]
