"""Shards: where the bytes of each lie. A row stays a while after the last generation that lists the shard (CEP 16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t

#: A shard and where it lies: (sha256, pack, start, size).
NewShard = tuple[bytes, str, int, int]

_CHUNK = 500  # hashes in one IN list, below every database's limit of parameters


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A shard and where it lies."""

    sha256: bytes
    pack: str
    start: int
    size: int


def find(connection: Connection, channel_id: int, sha256: bytes) -> StoredShard | None:
    """Look a channel's shard up by its hash; also one that no generation lists any more, until it is swept."""
    columns = (t.shards.c.sha256, t.shards.c.pack, t.shards.c.start, t.shards.c.size)
    query = sa.select(*columns).where(t.shards.c.channel_id == channel_id, t.shards.c.sha256 == sha256)
    row = connection.execute(query).first()
    return StoredShard(*row) if row is not None else None


def keep(connection: Connection, channel_id: int, new: Sequence[NewShard]) -> None:
    """Record where new shards lie; one that is known already is simply in use again, where it lay."""
    known: set[bytes] = set()
    for start in range(0, len(new), _CHUNK):
        hashes = [shard[0] for shard in new[start : start + _CHUNK]]
        mine = sa.and_(t.shards.c.channel_id == channel_id, t.shards.c.sha256.in_(hashes))
        # what the update itself touched: a row that was only seen may be swept before it is
        back = t.shards.update().where(mine).values(retired_ms=None).returning(t.shards.c.sha256)
        known.update(connection.execute(back).scalars())
    rows = {
        sha256: {"channel_id": channel_id, "sha256": sha256, "pack": pack, "start": start, "size": size}
        for sha256, pack, start, size in new
        if sha256 not in known
    }
    if rows:
        connection.execute(t.shards.insert(), list(rows.values()))
