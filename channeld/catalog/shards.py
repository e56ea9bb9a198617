"""Shards: where the bytes of each lie. A row stays a while after the last generation that lists the shard (CEP 16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

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


_STORED = sa.select(t.shards.c.sha256, t.shards.c.pack, t.shards.c.start, t.shards.c.size)


def find(connection: Connection, channel_id: int, sha256: bytes) -> StoredShard | None:
    """Look a channel's shard up by its hash; also one that no generation lists any more, until it is swept."""
    query = _STORED.where(t.shards.c.channel_id == channel_id, t.shards.c.sha256 == sha256)
    row = connection.execute(query).first()
    return StoredShard(*row) if row is not None else None


def find_all(connection: Connection, channel_id: int, hashes: Sequence[bytes]) -> dict[bytes, StoredShard]:
    """Look several up; what is not known is not in the answer."""
    found = {}
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK]
        query = _STORED.where(t.shards.c.channel_id == channel_id, t.shards.c.sha256.in_(chunk))
        found.update({row.sha256: StoredShard(*row) for row in connection.execute(query)})
    return found


def keep(connection: Connection, channel_id: int, new: Sequence[NewShard]) -> None:
    """Record where new shards lie. One that is known already is in use again, and lies where it was stored last.

    So the answer to a damaged shard is to store it again, and one that comes back does not hold an old pack.
    """
    rows = {
        sha256: {"channel_id": channel_id, "sha256": sha256, "pack": pack, "start": start, "size": size}
        for sha256, pack, start, size in new
    }
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(t.shards)
    moved = {name: insert.excluded[name] for name in ("pack", "start", "size")}
    upsert = insert.on_conflict_do_update(
        index_elements=[t.shards.c.channel_id, t.shards.c.sha256], set_={**moved, "retired_ms": None}
    )
    connection.execute(upsert, [rows[sha256] for sha256 in sorted(rows)])
