"""Sweeping: what nothing needs any more, found and forgotten in batches of bounded size.

Rows go first, bytes after the commit: a crash in between leaves bytes that nobody names, never names without bytes.
Rows of files stay for ever: a name is taken once.

A shard or page is reached from the generations that are kept; whoever knows them (``indexing``) says which are live.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import leases
from channeld.catalog import tables as t
from channeld.catalog.shards import StoredShard

BATCH = 500  # rows changed by one call, below every database's limit of parameters


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """A generation that is still there, served or retired."""

    view_id: int
    number: int
    documents: bytes
    retired_ms: int | None


@dataclass(frozen=True, slots=True)
class SweptArtifact:
    """An artifact whose bytes may go."""

    sha256: str
    filename: str
    size: int


def generations(connection: Connection, channel_id: int) -> Iterator[KeptGeneration]:
    """Yield the generations of all views of a channel, whatever their age: what is live is reached from them."""
    table = t.generations
    query = (
        sa.select(table.c.view_id, table.c.number, table.c.documents, table.c.retired_ms)
        .join(t.views, t.views.c.id == table.c.view_id)
        .where(t.views.c.channel_id == channel_id)
        .order_by(table.c.view_id, table.c.number)
    )
    for row in connection.execute(query.execution_options(yield_per=BATCH)):
        yield KeptGeneration(*row)


def forget_generations(connection: Connection, before_ms: int, limit: int = BATCH) -> list[tuple[int, int]]:
    """Drop generations that were retired before a time, oldest first; return them as (view id, number).

    The one that is served is never among them: it has not been retired.
    """
    table = t.generations
    old = (
        sa.select(table.c.view_id, table.c.number)
        .where(table.c.retired_ms < before_ms)
        .order_by(table.c.retired_ms, table.c.view_id, table.c.number)
        .limit(min(limit, BATCH))
    )
    dropped = [(row.view_id, row.number) for row in connection.execute(old)]
    for view_id, number in dropped:
        mine = sa.and_(table.c.view_id == view_id, table.c.number == number)
        connection.execute(table.delete().where(mine))
    return dropped


def pointers(connection: Connection, channel_id: int) -> dict[int, int]:
    """Return which generation each view of a channel is at, by view id."""
    query = sa.select(t.views.c.id, t.views.c.generation).where(t.views.c.channel_id == channel_id)
    return {row.id: row.generation for row in connection.execute(query)}


def retire_shards(
    connection: Connection, channel_id: int, live: Collection[bytes], seen: Mapping[int, int], now_ms: int
) -> int | None:
    """Mark the shards that no kept generation lists, some at a time; return how many, 0 when none are left.

    ``live`` are the hashes that the kept generations list, ``seen`` the ``pointers`` of the snapshot in which they
    were read. None, and nothing is marked, when a view has moved since: its new generation may list others.
    """
    leases.wait(connection, leases.INDEXER)  # no flip comes in between
    if pointers(connection, channel_id) != seen:
        return None
    mine = t.shards.c.channel_id == channel_id
    query = sa.select(t.shards.c.sha256).where(mine, t.shards.c.retired_ms.is_(None))
    dead = [sha256 for sha256 in connection.execute(query).scalars() if sha256 not in live][:BATCH]
    if dead:
        marked = t.shards.update().where(mine, t.shards.c.sha256.in_(dead))
        connection.execute(marked.values(retired_ms=now_ms))
    return len(dead)


def sweep_shards(
    connection: Connection, channel_id: int, before_ms: int, limit: int = BATCH
) -> list[StoredShard]:
    """Forget shards that were retired before a time; return where they lie."""
    # a flip that brings some back has them, and we those that it wants next
    leases.wait(connection, leases.INDEXER)
    table = t.shards
    old = (
        sa.select(table.c.sha256)
        .where(table.c.channel_id == channel_id, table.c.retired_ms < before_ms)
        .order_by(table.c.sha256)
        .limit(min(limit, BATCH))
    )
    hashes = list(connection.execute(old).scalars())
    # asked again by the statement that deletes: a flip may have brought one back
    gone = (
        table.delete()
        .where(table.c.channel_id == channel_id, table.c.sha256.in_(hashes), table.c.retired_ms < before_ms)
        .returning(table.c.sha256, table.c.pack, table.c.start, table.c.size)
    )
    return sorted((StoredShard(*row) for row in connection.execute(gone)), key=lambda shard: shard.sha256)


def packs_of_shards(connection: Connection) -> set[str]:
    """Return the names of all packs in which shards lie."""
    return set(connection.execute(sa.select(t.shards.c.pack).distinct()).scalars())


def last_of_next(connection: Connection, after: int, count: int) -> int | None:
    """Return the id of the last among so many artifacts after one, in the order of their ids; None at the end."""
    ids = t.artifacts.c.id
    some = sa.select(ids).where(ids > after).order_by(ids).limit(count).subquery()
    return connection.execute(sa.select(sa.func.max(some.c.id))).scalar()


def orphans(
    connection: Connection,
    before_ms: int,
    limit: int = BATCH,
    *,
    unnamed_before_ms: int = 0,
    among: tuple[int, int] | None = None,
) -> list[int]:
    """List the ids of artifacts that nothing needs any more, some at a time: for ``sweep_artifacts``.

    Args:
        before_ms: since when no channel has shown them.
        unnamed_before_ms: before when those were stored that no file names, not even a deleted one: what candidates
            and whole channels leave behind.
        among: the first and the last id to look at; None for all, which takes seconds for half a million.
    """
    query = _orphaned(before_ms, unnamed_before_ms).order_by(t.artifacts.c.id).limit(min(limit, BATCH))
    if among is not None:
        query = query.where(t.artifacts.c.id.between(*among))
    return [row.id for row in connection.execute(query)]


def sweep_artifacts(
    connection: Connection, ids: Sequence[int], before_ms: int, now_ms: int, *, unnamed_before_ms: int = 0
) -> list[SweptArtifact]:
    """Give artifacts up, as far as they are still orphaned; return those whose bytes may go after the commit.

    The row of one that a deleted file refers to stays, marked as swept; the next upload of the bytes clears that.
    Whoever uploads must make sure *after* its own commit that the bytes are there: they may go while it looks.
    """
    table = t.artifacts
    # Locked first, looked at second: a file that was being added meanwhile is seen by the second statement.
    lock = sa.select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
    locked = list(connection.execute(lock).scalars())
    orphaned = _orphaned(before_ms, unnamed_before_ms).where(table.c.id.in_(locked))
    rows = connection.execute(orphaned.order_by(table.c.id)).all()
    swept = [row.id for row in rows]
    named = set(
        connection.execute(
            sa.select(t.files.c.artifact_id).where(t.files.c.artifact_id.in_(swept)).distinct()
        ).scalars()
    )
    unnamed = [artifact_id for artifact_id in swept if artifact_id not in named]
    connection.execute(table.update().where(table.c.id.in_(named)).values(swept_ms=now_ms))
    connection.execute(table.delete().where(table.c.id.in_(unnamed)))
    return [SweptArtifact(row.sha256, row.filename, row.size) for row in rows]


def _orphaned(before_ms: int, unnamed_before_ms: int) -> sa.Select[tuple[int, str, str, int]]:
    """Select artifacts with bytes that no file needs, and no copy has pinned. A hidden candidate needs its own."""
    table = t.artifacts
    named = t.files.c.artifact_id == table.c.id
    needed = sa.or_(
        t.files.c.deleted_ms.is_(None), t.files.c.deleted_ms >= before_ms, t.files.c.candidate != ""
    )
    pinned = sa.exists().where(t.pins.c.artifact_id == table.c.id)
    return sa.select(table.c.id, table.c.sha256, table.c.filename, table.c.size).where(
        table.c.swept_ms.is_(None),
        sa.or_(
            sa.and_(table.c.stored_ms < before_ms, ~sa.exists().where(named, needed)),
            sa.and_(table.c.stored_ms < unnamed_before_ms, ~sa.exists().where(named)),
        ),
        ~pinned,
    )
