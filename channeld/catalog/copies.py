"""Copies from staging channels: the rows that say how far each has come, and the pins that hold on to its bytes.

A copy is written down before anything is done for it, and its row changes with every step, so that what broke off can
be taken up again and everybody can look up what became of a request. What the JSON in a row means is known to
``channeld.promotion``.

A pin holds an artifact: while it is there the bytes are not swept, whatever becomes of the candidates that brought
them. Whoever changes a copy locks its row, after the channels, if it locks any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t

#: Rows that one statement deletes, below every database's limit of parameters.
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Copy:
    """One request to copy, with all of its outputs; see the table ``copies`` for the fields."""

    id: str
    channel_id: int
    staging: str
    feedstock: str
    state: str
    asked: bytes
    outcome: bytes
    revision: int
    request_key: str | None
    created_ms: int
    updated_ms: int
    finished_ms: int | None


@dataclass(frozen=True, slots=True)
class Pin:
    """Bytes that a copy holds on to, under the name that they are to get."""

    subdir: str
    filename: str
    artifact_id: int
    sha256: str
    md5: str
    size: int


def insert(connection: Connection, copy: Copy) -> None:
    """Write a copy down. Whoever does has locked its channel, so that no two get the same ``request_key``."""
    values = {field: getattr(copy, field) for field in Copy.__slots__}
    connection.execute(t.copies.insert().values(**values))


def find(connection: Connection, copy_id: str) -> Copy | None:
    """Look a copy up."""
    return _first(connection, t.copies.c.id == copy_id)


def find_by_key(connection: Connection, channel_id: int, request_key: str) -> Copy | None:
    """Look a copy up by what its client called the request."""
    return _first(connection, t.copies.c.channel_id == channel_id, t.copies.c.request_key == request_key)


def _first(connection: Connection, *conditions: sa.ColumnElement[bool]) -> Copy | None:
    row = connection.execute(sa.select(t.copies).where(*conditions)).first()
    return _from_row(row) if row is not None else None


def _from_row(row: sa.Row[Any]) -> Copy:
    return Copy(**row._mapping)


def lock(connection: Connection, copy_id: str) -> Copy | None:
    """Look a copy up, and keep others from changing it until the transaction ends."""
    row = connection.execute(sa.select(t.copies).where(t.copies.c.id == copy_id).with_for_update()).first()
    return _from_row(row) if row is not None else None


def update(connection: Connection, copy: Copy) -> None:
    """Write down how far a locked copy has come."""
    values = {field: getattr(copy, field) for field in _CHANGING}
    connection.execute(t.copies.update().where(t.copies.c.id == copy.id).values(**values))


_CHANGING: Final = ("state", "outcome", "revision", "request_key", "updated_ms", "finished_ms")


def still_at_work(connection: Connection, copy_id: str, now_ms: int) -> None:
    """Say that somebody works on an unfinished copy, so that nobody else takes it up."""
    mine = sa.and_(t.copies.c.id == copy_id, t.copies.c.finished_ms.is_(None))
    connection.execute(t.copies.update().where(mine).values(updated_ms=now_ms))


def unfinished(connection: Connection, untouched_since_ms: int, limit: int = BATCH) -> list[Copy]:
    """List unfinished copies on which nobody has worked since a time, oldest first."""
    query = (
        sa.select(t.copies)
        .where(t.copies.c.finished_ms.is_(None), t.copies.c.updated_ms <= untouched_since_ms)
        .order_by(t.copies.c.created_ms, t.copies.c.id)
        .limit(limit)
    )
    return [_from_row(row) for row in connection.execute(query)]


def claim(connection: Connection, copy: Copy, now_ms: int) -> bool:
    """Take an unfinished copy up, unless somebody has worked on it since it was read."""
    unchanged = sa.and_(
        t.copies.c.id == copy.id,
        t.copies.c.updated_ms == copy.updated_ms,
        t.copies.c.finished_ms.is_(None),
    )
    claimed = t.copies.update().where(unchanged).values(updated_ms=max(now_ms, copy.updated_ms + 1))
    return bool(connection.execute(claimed).rowcount)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which copies of a channel to list; an empty field wants all."""

    feedstock: str = ""
    state: str = ""


def page(
    connection: Connection, channel_id: int, wanted: Wanted, limit: int, after: tuple[int, str] | None = None
) -> list[Copy]:
    """List copies into a channel, newest first; ``after`` is ``(created_ms, id)`` of the last one listed before."""
    columns = t.copies.c
    query = sa.select(t.copies).where(columns.channel_id == channel_id)
    if wanted.feedstock:
        query = query.where(columns.feedstock == wanted.feedstock)
    if wanted.state:
        query = query.where(columns.state == wanted.state)
    if after is not None:
        created_ms, copy_id = after
        earlier = sa.and_(columns.created_ms == created_ms, columns.id < copy_id)
        query = query.where(sa.or_(columns.created_ms < created_ms, earlier))
    query = query.order_by(columns.created_ms.desc(), columns.id.desc()).limit(limit)
    return [_from_row(row) for row in connection.execute(query)]


def forget(connection: Connection, before_ms: int, limit: int = BATCH) -> int:
    """Delete copies that were finished before a time, oldest first; returns how many."""
    old = (
        sa.select(t.copies.c.id)
        .where(t.copies.c.finished_ms < before_ms)
        .order_by(t.copies.c.finished_ms, t.copies.c.id)
        .limit(min(limit, BATCH))
    )
    ids = list(connection.execute(old).scalars())
    connection.execute(t.copies.delete().where(t.copies.c.id.in_(ids)))
    return len(ids)


def hold(connection: Connection, artifact_ids: Iterable[int]) -> set[int]:
    """Keep artifacts from being swept until the transaction ends; return those whose bytes are still there."""
    wanted = sorted(set(artifact_ids))
    held: set[int] = set()
    for start in range(0, len(wanted), BATCH):
        query = (
            sa.select(t.artifacts.c.id, t.artifacts.c.swept_ms)
            .where(t.artifacts.c.id.in_(wanted[start : start + BATCH]))
            .order_by(t.artifacts.c.id)
            .with_for_update(read=True, key_share=True)
        )
        held.update(row.id for row in connection.execute(query) if row.swept_ms is None)
    return held


def pin(connection: Connection, copy_id: str, pins: Iterable[Pin]) -> None:
    """Hold on to artifacts, which ``hold`` has kept in this transaction, for as long as the copy takes."""
    rows = [
        {"copy_id": copy_id, "subdir": one.subdir, "filename": one.filename, "artifact_id": one.artifact_id}
        for one in pins
    ]
    if rows:
        connection.execute(t.pins.insert(), rows)


def pinned(connection: Connection, copy_id: str) -> list[Pin]:
    """List what a copy holds on to, by subdir and file name."""
    query = (
        sa.select(
            t.pins.c.subdir,
            t.pins.c.filename,
            t.pins.c.artifact_id,
            t.artifacts.c.sha256,
            t.artifacts.c.md5,
            t.artifacts.c.size,
        )
        .join(t.artifacts, t.artifacts.c.id == t.pins.c.artifact_id)
        .where(t.pins.c.copy_id == copy_id)
        .order_by(t.pins.c.subdir, t.pins.c.filename)
    )
    return [Pin(**row._mapping) for row in connection.execute(query)]


def unpin(connection: Connection, copy_id: str) -> None:
    """Let go of everything that a copy holds on to."""
    connection.execute(t.pins.delete().where(t.pins.c.copy_id == copy_id))
