"""Leases: who may publish. A lease has an epoch; work done under an older epoch is refused at the flip."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t

INDEXER = "indexer"


@dataclass(frozen=True, slots=True)
class Lease:
    """A right that ends by itself."""

    name: str
    holder: str
    epoch: int
    expires_ms: int
    trouble: str = ""


def find(connection: Connection, name: str) -> Lease | None:
    """Look up who holds a lease, or held it last."""
    row = connection.execute(sa.select(t.leases).where(t.leases.c.name == name)).first()
    return Lease(row.name, row.holder, row.epoch, row.expires_ms, row.trouble) if row is not None else None


def take(
    connection: Connection, name: str, holder: str, now_ms: int, duration_ms: int, *, ended: str = ""
) -> Lease | None:
    """Take a free or expired lease, or prolong one's own. None while somebody else holds it.

    ``ended`` is a holder of whom is known that it is no more: its lease is free.

    ``holder`` is a name of one life of one process, never used again: it alone tells a prolongation, which keeps the
    epoch, from a change of hands.
    """
    row = connection.execute(sa.select(t.leases).where(t.leases.c.name == name).with_for_update()).first()
    expires = now_ms + duration_ms
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    t.leases.insert().values(
                        name=name, holder=holder, epoch=1, expires_ms=expires, trouble=""
                    )
                )
        except sa.exc.IntegrityError:  # somebody else was quicker
            return None
        return Lease(name, holder, 1, expires)
    if row.holder not in (holder, ended) and row.expires_ms > now_ms:
        return None
    epoch = row.epoch if row.holder == holder else row.epoch + 1
    connection.execute(
        t.leases.update()
        .where(t.leases.c.name == name)
        .values(holder=holder, epoch=epoch, expires_ms=expires)
    )
    return Lease(name, holder, epoch, expires, row.trouble)


def holds(connection: Connection, lease: Lease) -> bool:
    """Tell whether the lease is still this one, and keep others from taking it until the transaction ends."""
    row = connection.execute(
        sa.select(t.leases.c.epoch, t.leases.c.holder).where(t.leases.c.name == lease.name).with_for_update()
    ).first()
    return row is not None and (row.epoch, row.holder) == (lease.epoch, lease.holder)


def wait(connection: Connection, name: str) -> None:
    """Let whoever works under a lease finish its transaction, and keep others out until this one ends."""
    connection.execute(sa.select(t.leases.c.name).where(t.leases.c.name == name).with_for_update())


def hold_epoch(connection: Connection, name: str, epoch: int) -> bool:
    """Tell whether a lease stands at an epoch, and keep others from taking it until the transaction ends."""
    query = sa.select(t.leases.c.epoch).where(t.leases.c.name == name).with_for_update()
    return connection.execute(query).scalar() == epoch


def complain(connection: Connection, lease: Lease, trouble: str) -> None:
    """Leave a sentence for ``channeld status``; "" when all is well again."""
    connection.execute(
        t.leases.update()
        .where(t.leases.c.name == lease.name, t.leases.c.epoch == lease.epoch)
        .values(trouble=trouble)
    )


def release(connection: Connection, lease: Lease) -> None:
    """Give a lease back, so that the next holder need not wait for its end."""
    connection.execute(
        t.leases.update()
        .where(t.leases.c.name == lease.name, t.leases.c.epoch == lease.epoch)
        .values(expires_ms=0)
    )
