"""Who changed what: one row for every change, written in the same transaction as the change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a token's id (or the name of a local command), from where, when, and why."""

    id: str
    origin: str
    now_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change as it was recorded."""

    id: int
    at_ms: int
    actor: str
    origin: str
    action: str
    channel: str
    subject: str
    before: str
    after: str
    reason: str
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is said of a change: ``before`` and ``after`` are JSON values, None where there was nothing."""

    action: str
    channel: str
    subject: str
    before: Any = None
    after: Any = None
    revision: int = 0


_INSERT = Prepared(t.audit.insert(), [column.name for column in t.audit.columns if column.name != "id"])


def record(connection: Connection, actor: Actor, change: Change) -> None:
    """Append one row."""
    record_each(connection, actor, [change])


def record_each(connection: Connection, actor: Actor, changes: Iterable[Change]) -> None:
    """Append a row for each of the changes that one act made."""
    rows = [
        {
            "at_ms": actor.now_ms,
            "actor": actor.id,
            "origin": actor.origin,
            "action": change.action,
            "channel": change.channel,
            "subject": change.subject,
            "before": _json(change.before),
            "after": _json(change.after),
            "reason": actor.reason,
            "revision": change.revision,
        }
        for change in changes
    ]
    _INSERT.run(connection, rows)


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def newest(
    connection: Connection, *, channel: str = "", limit: int = 100, before_id: int | None = None
) -> list[AuditRow]:
    """Page through the rows, newest first; ``before_id`` continues where the last page ended."""
    query = sa.select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)
    if channel:
        query = query.where(t.audit.c.channel == channel)
    if before_id is not None:
        query = query.where(t.audit.c.id < before_id)
    return [AuditRow(**row._mapping) for row in connection.execute(query)]


def following(
    connection: Connection, after_id: int, until_id: int, actions: Collection[str], limit: int
) -> list[AuditRow]:
    """List rows of some actions, oldest first, from behind ``after_id`` up to ``until_id``."""
    # not the column itself: SQLite would take its index and go through every row that there ever was of an action
    action = t.audit.c.action + ""
    query = (
        sa.select(t.audit)
        .where(t.audit.c.id > after_id, t.audit.c.id <= until_id, action.in_(sorted(actions)))
        .order_by(t.audit.c.id)
        .limit(limit)
    )
    return [AuditRow(**row._mapping) for row in connection.execute(query)]
