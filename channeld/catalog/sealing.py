"""Sealing the audit: its rows are chained by hash in the order of their ids, in batches, behind the writers' backs.

A row may be sealed once no row with a lower id can appear any more. On SQLite there is one writer at a time, so this
holds for every row that can be seen. On PostgreSQL ids come from a sequence, and transactions commit in any order. But
an INSERT takes its lock on the table (ROW EXCLUSIVE) before it draws an id, and the transaction keeps the lock to its
end. So whoever may still bring a row with an id up to one that can be seen now holds that lock now: ``look`` notes the
newest id first and the holders second, and once all of them are gone everything up to that id is there or will never
be. Nobody waits for this: no lock is taken. (It is why ids of audit rows must not be reserved without an INSERT.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import chainrows, leases
from channeld.catalog import tables as t
from channeld.catalog.chain import Entry, Head, Seal, seal

#: The lease of the process that seals. It saves others the work; that the chain does not fork, its rows see to.
SEALER: Final = "audit-sealer"
_LEASE_MS: Final = 15_000

_WRITERS: Final = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = 'audit'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND mode = 'RowExclusiveLock' AND granted"
)


def sealed_until(connection: Connection) -> int:
    """Return the id of the last sealed row of the audit, 0 where nothing is sealed yet.

    All rows up to it are final: none changes, and none with a lower id can appear any more.
    """
    return connection.execute(sa.select(sa.func.max(t.audit_seals.c.last_id))).scalar() or 0


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far the audit can be seen, and which transactions may still bring rows from before that."""

    last_id: int
    writers: frozenset[str] = frozenset()


def look(connection: Connection) -> Horizon:
    """Look at the end of the audit."""
    newest = newest_id(connection)  # first: see above
    if connection.dialect.name != "postgresql":
        return Horizon(newest)
    return Horizon(newest, frozenset(connection.execute(_WRITERS).scalars()))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the audit is sealed."""

    head: Head
    #: When the last seal was made; None before the first.
    sealed_ms: int | None
    #: Rows that are not sealed.
    waiting: int


def standing(connection: Connection) -> Standing:
    """Say how far the audit is sealed."""
    head = chainrows.end_of_chain(connection)
    sealed_ms = sa.select(t.audit_seals.c.sealed_ms).where(t.audit_seals.c.last_id == head.last_id)
    return Standing(head, connection.execute(sealed_ms).scalar(), rows_behind(connection, head))


def rows_behind(connection: Connection, head: Head) -> int:
    """Count the rows that a head does not cover."""
    behind = sa.select(sa.func.count()).where(t.audit.c.id > head.last_id)
    return connection.execute(behind).scalar_one()


def newest_id(connection: Connection) -> int:
    """Return the highest id that can be seen, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(t.audit.c.id))).scalar() or 0


def oldest_waiting_ms(connection: Connection) -> int | None:
    """Return when the first row was written that is not sealed."""
    table = t.audit
    after = sa.select(table.c.at_ms).where(table.c.id > sealed_until(connection)).order_by(table.c.id)
    return connection.execute(after.limit(1)).scalar()


def append(
    connection: Connection, holder: str, before: Head, entries: Sequence[Entry], now_ms: int
) -> Head | None:
    """Add the seal of some rows to the chain, if it still ends at ``before`` and nobody else seals; else None."""
    if leases.take(connection, SEALER, holder, now_ms, _LEASE_MS) is None:
        return None
    if chainrows.end_of_chain(connection) != before:
        return None
    made = seal(before, entries, now_ms)
    connection.execute(t.audit_seals.insert(), _values(made))
    return made.end


def _values(made: Seal) -> dict[str, object]:
    return {
        "last_id": made.last_id,
        "first_id": made.first_id,
        "rows": made.rows,
        "head": made.head,
        "sealed_ms": made.sealed_ms,
    }


def sealed_by_another(connection: Connection, holder: str, now_ms: int) -> bool:
    """Tell whether another process holds the lease."""
    lease = leases.find(connection, SEALER)
    return lease is not None and lease.holder != holder and lease.expires_ms > now_ms


def give_back(connection: Connection, holder: str) -> None:
    """Let another process seal at once."""
    lease = leases.find(connection, SEALER)
    if lease is not None and lease.holder == holder:
        leases.release(connection, lease)
