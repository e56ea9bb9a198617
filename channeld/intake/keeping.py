"""What keeps bytes and rows in step: no row without its bytes, and no bytes for ever without a row.

Bytes come first: they are durable under their hash before the transaction that names them. In that transaction
``add_kept`` looks once more whether they are there. Bytes that no row names are removed by ``forget_bytes`` alone, also
inside a transaction, and the two exclude each other until their transactions end: on SQLite because there is one
writer, on PostgreSQL by an advisory lock, which uploads share and ``forget_bytes`` has alone. So whichever comes first
is seen by the other, and no clock has a part in it. That bytes must have lain there for a while before they are
removed is a courtesy: without it an upload could be told to try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.blobs.local import LocalBlobs
from channeld.catalog import files
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.files import Added, Artifact
from channeld.errors import Unavailable

#: Which of PostgreSQL's advisory locks is this one.
_LOCK: Final = 0x6368_6E64_626C_6F62
_ASKED: Final = 500  # hashes in one question, below every database's limit of parameters


@dataclass(eq=False)
class BytesSwept(Unavailable):
    """The bytes of an upload were taken for forgotten ones, because it took so long to name them."""

    sha256: str

    advice: ClassVar[str] = "Nothing was stored; upload it again."
    retry_after: ClassVar[int] = 1

    def sentence(self) -> str:
        return f"The bytes with the sha256 {self.sha256} were swept before the catalog could name them."


def add_kept(
    connection: Connection,
    blobs: LocalBlobs,
    channel: str,
    artifact: Artifact,
    labels: Sequence[str],
    actor: Actor,
    *,
    indexed_ms: int | None = None,
) -> Added:
    """Name bytes that are kept: ``catalog.files.add`` for everybody who stores bytes. The first of its transaction.

    Raises:
        BytesSwept: they are gone again; the transaction must not be kept.
        Rejected: what ``catalog.files.add`` raises.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_LOCK)))
    added = files.add(connection, channel, artifact, labels, actor, indexed_ms=indexed_ms)
    if not blobs.holds(artifact.sha256, artifact.size):
        raise BytesSwept(artifact.sha256)
    return added


def forget_bytes(
    connection: Connection, blobs: LocalBlobs, hashes: Sequence[str], untouched_since: float
) -> int:
    """Remove the bytes that no row names, of these and as far as nobody stored or touched them since a Unix time.

    It must be a transaction of its own, and the rows must have been gone when it began: what it unlinks does not come
    back with them. Returns how many were removed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    named = named_among(connection, hashes)
    return sum(blobs.delete(sha256, untouched_since) for sha256 in hashes if sha256 not in named)


def named_among(connection: Connection, hashes: Sequence[str]) -> set[str]:
    """Return those of the hashes whose bytes some row still stands for."""
    named: set[str] = set()
    for start in range(0, len(hashes), _ASKED):
        asked = hashes[start : start + _ASKED]
        query = sa.select(t.artifacts.c.sha256).where(
            t.artifacts.c.sha256.in_(asked), t.artifacts.c.swept_ms.is_(None)
        )
        named.update(connection.execute(query).scalars())
    return named
