"""Deliveries: what is to be told to which webhook, and what became of it.

A delivery waits (``next_ms`` says until when), or was delivered, or is dead: given up, but kept for a while and tried
again when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.errors import Rejected

State = Literal["waiting", "delivered", "dead"]

SKIPPED = "It was skipped when the webhook was resumed."


@dataclass(eq=False)
class DeliveryMissing(Rejected):
    """The webhook has no such delivery, or has none any more."""

    webhook_id: str
    delivery_id: int

    advice: ClassVar[str] = "Show the webhook to see its deliveries; old ones are forgotten."

    def sentence(self) -> str:
        return f"The webhook {self.webhook_id!r} has no delivery {self.delivery_id}."


@dataclass(eq=False)
class DeliveryDone(Rejected):
    """A delivery that has arrived is not sent again."""

    delivery_id: int

    def sentence(self) -> str:
        return f"The delivery {self.delivery_id} has arrived."


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be sent: of which row of the audit, and the bytes of the body."""

    audit_id: int
    at_ms: int
    event: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the catalog knows it."""

    id: int
    webhook_id: str
    audit_id: int
    #: When that happened which it tells of.
    at_ms: int
    event: str
    body: bytes
    attempts: int
    next_ms: int | None
    tried_ms: int | None
    delivered_ms: int | None
    dead_ms: int | None
    #: What the last attempt ran into; empty for nothing.
    problem: str

    @property
    def state(self) -> State:
        if self.next_ms is not None:
            return "waiting"
        return "dead" if self.dead_ms is not None else "delivered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt; with ``next_ms`` None and a problem the delivery is dead."""

    at_ms: int
    problem: str = ""
    next_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is not delivered."""

    waiting: int = 0
    dead: int = 0
    #: When the oldest event that waits happened; None where nothing waits.
    oldest_ms: int | None = None


_WAITS = t.deliveries.c.next_ms.is_not(None)
_DEAD = t.deliveries.c.dead_ms.is_not(None)


def add(connection: Connection, webhook_id: str, new: Sequence[NewDelivery], now_ms: int) -> None:
    """Have events sent to a webhook, at once."""
    rows = [
        {
            "webhook_id": webhook_id,
            "audit_id": one.audit_id,
            "at_ms": one.at_ms,
            "event": one.event,
            "body": one.body,
            "attempts": 0,
            "next_ms": now_ms,
            "problem": "",
        }
        for one in new
    ]
    if rows:
        connection.execute(t.deliveries.insert(), rows)


def head(connection: Connection, webhook_id: str, patience: int) -> Delivery | None:
    """Return the first delivery that waits and was tried fewer than ``patience`` times."""
    fresh = t.deliveries.c.attempts < patience
    return _first(connection, webhook_id, fresh)


def set_aside(connection: Connection, webhook_id: str, patience: int, now_ms: int) -> Delivery | None:
    """Return the first delivery that was tried at least ``patience`` times and whose time has come again."""
    due = sa.and_(t.deliveries.c.attempts >= patience, t.deliveries.c.next_ms <= now_ms)
    return _first(connection, webhook_id, due)


def _first(connection: Connection, webhook_id: str, fits: sa.ColumnElement[bool]) -> Delivery | None:
    mine = sa.and_(t.deliveries.c.webhook_id == webhook_id, _WAITS, fits)
    row = connection.execute(
        sa.select(t.deliveries).where(mine).order_by(t.deliveries.c.audit_id).limit(1)
    ).first()
    return _from_row(row) if row is not None else None


def _from_row(row: sa.Row[Any]) -> Delivery:
    return Delivery(**row._mapping)


def waiting(connection: Connection) -> dict[str, int]:
    """Count what waits, by webhook."""
    return _counts(connection, _WAITS)


def dead(connection: Connection) -> dict[str, int]:
    """Count what was given up, by webhook."""
    return _counts(connection, _DEAD)


def _counts(connection: Connection, fits: sa.ColumnElement[bool]) -> dict[str, int]:
    owner = t.deliveries.c.webhook_id
    query = sa.select(owner, sa.func.count()).where(fits).group_by(owner)
    return {row[0]: row[1] for row in connection.execute(query)}


def due(connection: Connection, patience: int, now_ms: int) -> list[str]:
    """List the webhooks for which ``head`` or ``set_aside`` has something whose time has come."""
    table = t.deliveries.c
    first = sa.func.min(table.audit_id).label("audit_id")
    heads = (
        sa.select(table.webhook_id, first).where(_WAITS, table.attempts < patience).group_by(table.webhook_id)
    )
    line = heads.subquery()
    at_head = sa.and_(table.webhook_id == line.c.webhook_id, table.audit_id == line.c.audit_id)
    now = table.next_ms <= now_ms
    found = sa.union(
        sa.select(table.webhook_id).join(line, at_head).where(now),
        sa.select(table.webhook_id).where(_WAITS, table.attempts >= patience, now),
    )
    return sorted(connection.execute(found).scalars())


def backlog(connection: Connection) -> Backlog:
    """Sum up what is not delivered."""
    table = t.deliveries.c
    waiting, oldest_ms = connection.execute(
        sa.select(sa.func.count(), sa.func.min(table.at_ms)).where(_WAITS)
    ).one()
    given_up = connection.execute(
        sa.select(sa.func.count()).select_from(t.deliveries).where(_DEAD)
    ).scalar_one()
    return Backlog(waiting, given_up, oldest_ms)


def note(connection: Connection, delivery_id: int, attempt: Attempt) -> None:
    """Write down what became of an attempt. Nothing happens to a delivery that is gone or done meanwhile."""
    mine = sa.and_(t.deliveries.c.id == delivery_id, _WAITS)
    failed = bool(attempt.problem)
    gone = failed and attempt.next_ms is None
    connection.execute(
        t.deliveries.update()
        .where(mine)
        .values(
            attempts=t.deliveries.c.attempts + 1,
            tried_ms=attempt.at_ms,
            next_ms=attempt.next_ms,
            delivered_ms=None if failed else attempt.at_ms,
            dead_ms=attempt.at_ms if gone else None,
            problem=attempt.problem,
        )
    )


def retry(connection: Connection, webhook_id: str, now_ms: int, delivery_id: int | None = None) -> int:
    """Have one delivery tried again now, or all that wait or are dead; return how many, all as if never tried.

    Raises:
        DeliveryMissing: the webhook has none of that id.
        DeliveryDone: it has arrived.
    """
    mine = sa.and_(t.deliveries.c.webhook_id == webhook_id, sa.or_(_WAITS, _DEAD))
    if delivery_id is not None:
        _check_open(connection, webhook_id, delivery_id)
        mine = sa.and_(mine, t.deliveries.c.id == delivery_id)
    again = t.deliveries.update().where(mine).values(attempts=0, next_ms=now_ms, dead_ms=None)
    return int(connection.execute(again).rowcount)


def _check_open(connection: Connection, webhook_id: str, delivery_id: int) -> None:
    query = sa.select(t.deliveries).where(
        t.deliveries.c.id == delivery_id, t.deliveries.c.webhook_id == webhook_id
    )
    row = connection.execute(query).first()
    if row is None:
        raise DeliveryMissing(webhook_id, delivery_id)
    if row.delivered_ms is not None:
        raise DeliveryDone(delivery_id)


def skip(connection: Connection, webhook_id: str, now_ms: int) -> None:
    """Give up everything that waits for a webhook."""
    mine = sa.and_(t.deliveries.c.webhook_id == webhook_id, _WAITS)
    connection.execute(
        t.deliveries.update().where(mine).values(next_ms=None, dead_ms=now_ms, problem=SKIPPED)
    )


def newest(connection: Connection, webhook_id: str, limit: int, state: State | None = None) -> list[Delivery]:
    """List a webhook's deliveries, newest event first."""
    fits: dict[State | None, sa.ColumnElement[bool]] = {
        None: sa.true(),
        "waiting": _WAITS,
        "dead": _DEAD,
        "delivered": t.deliveries.c.delivered_ms.is_not(None),
    }
    query = sa.select(t.deliveries).where(t.deliveries.c.webhook_id == webhook_id, fits[state])
    rows = connection.execute(query.order_by(t.deliveries.c.audit_id.desc()).limit(limit))
    return [_from_row(row) for row in rows]


def forget(connection: Connection, before_ms: int, limit: int) -> int:
    """Forget up to ``limit`` deliveries that were delivered or given up before a time; return how many."""
    table = t.deliveries.c
    done = sa.select(table.id).where(
        table.next_ms.is_(None), sa.func.coalesce(table.delivered_ms, table.dead_ms) < before_ms
    )
    gone = t.deliveries.delete().where(table.id.in_(done.order_by(table.id).limit(limit)))
    return int(connection.execute(gone).rowcount)
