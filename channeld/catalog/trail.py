"""Listing the audit: pages of it, newest first, filtered; and what is new since, oldest first.

The order of pages is that of time; rows of the same moment come by their ids. Ids alone do not follow time: a row has
the time at which its request came, and a large upload commits long after that.

Each filter has an index that ends in (at_ms, id), so a page costs what it shows. With several filters one index is
used and the other filters are tried on its rows. SQLite does not know which values are rare, and PostgreSQL guesses: so
it is looked up here, up to a limit, how many rows each filter leaves, and the database is left no other choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import sealing
from channeld.catalog import tables as t
from channeld.catalog.audit import AuditRow

#: Rows that are counted of a filter before it is taken for a common one.
_COMMON: Final = 2000
#: Ids that one step of following looks at.
_STRIDE: Final = 10_000
#: Sorts after every character that a text may have.
_LAST_CHARACTER: Final = "\U0010ffff"

Condition = sa.ColumnElement[bool]

_A: Final = t.audit.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows to list. What is empty or None does not matter.

    A ``*`` at the end of an action, an actor or a subject stands for any rest. ``since_ms`` is included, ``until_ms``
    is not. ``reason`` is a part of the reason, in upper or lower case.
    """

    channel: str = ""
    action: str = ""
    actor: str = ""
    subject: str = ""
    reason: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


class _Filter:
    """One filter, and the index that has its rows."""

    def __init__(self, column: sa.Column[Any], text: str) -> None:
        self.column = column
        self.text = text
        #: Whether the index has its rows in the order of pages; not where there is a ``*``, which no channel has.
        self.is_ordered = column is _A.channel or not text.endswith("*")

    def condition(self, *, by_index: bool = True) -> Condition:
        """Return the condition, or one that the index is not used for."""
        column = self.column if by_index else _off_index(self.column)
        if self.is_ordered:
            return column == self.text
        start = self.text[:-1]
        return sa.and_(column >= start, column < start + _LAST_CHARACTER)


class _WithReason(_Filter):
    """Rows that have a reason at all, which have an index of their own."""

    def __init__(self) -> None:
        super().__init__(_A.reason, "")

    def condition(self, *, by_index: bool = True) -> Condition:
        # as it stands in the index: a parameter would not be recognised
        return sa.literal_column("reason") != sa.literal_column("''") if by_index else sa.true()


def page(
    connection: Connection, wanted: Wanted | None = None, *, limit: int = 100, before_id: int | None = None
) -> list[AuditRow]:
    """List rows, newest first; ``before_id``, the last row of a page, continues behind it."""
    wanted = wanted or Wanted()
    filters = _filters(wanted)
    chosen = _best(connection, filters, wanted)
    conditions = [each.condition(by_index=each is chosen) for each in filters]
    in_order = chosen is None or chosen.is_ordered
    time = _A.at_ms.expression if in_order else _off_index(_A.at_ms)
    query = sa.select(t.audit).where(*conditions, *_times(wanted, time), *_reason(wanted))
    if before_id is not None:
        query = query.where(_before(connection, before_id, time))
    query = query.order_by(time.desc(), _A.id.desc()).limit(limit)
    return [AuditRow(*row) for row in connection.execute(query)]


def following(
    connection: Connection, wanted: Wanted, *, after_id: int, limit: int = 100
) -> tuple[list[AuditRow], int]:
    """List sealed rows above an id, by id, and say up to which id that was; it goes on behind there.

    Rows that are not sealed come later: another one with a lower id may still appear before them.
    """
    until = min(sealing.sealed_until(connection), after_id + _STRIDE)
    # by the ids alone: a stride is short
    conditions = [each.condition(by_index=False) for each in _filters(wanted)]
    times = _times(wanted, _off_index(_A.at_ms))
    query = sa.select(t.audit).where(*conditions, *times, *_reason(wanted))
    query = query.where(_A.id > after_id, _A.id <= until).order_by(_A.id).limit(limit)
    rows = [AuditRow(*row) for row in connection.execute(query)]
    return rows, rows[-1].id if len(rows) == limit else max(after_id, until)


def _off_index(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return a column for a condition that no index is to be used for: an expression of the same value."""
    return column + ("" if isinstance(column.type, sa.Text) else 0)


def _filters(wanted: Wanted) -> list[_Filter]:
    """Return the filters that have an index of their own, those first that are likely to leave few rows."""
    texts = (
        (_A.subject, wanted.subject),
        (_A.actor, wanted.actor),
        (_A.action, wanted.action),
        (_A.channel, wanted.channel),
    )
    filters = [
        _Filter(column, text) for column, text in texts if text and (text != "*" or column is _A.channel)
    ]
    return [*filters, _WithReason()] if wanted.reason else filters


def _times(wanted: Wanted, time: sa.ColumnElement[int]) -> list[Condition]:
    return [
        *([] if wanted.since_ms is None else [time >= wanted.since_ms]),
        *([] if wanted.until_ms is None else [time < wanted.until_ms]),
    ]


def _reason(wanted: Wanted) -> list[Condition]:
    return [_A.reason.icontains(wanted.reason, autoescape=True)] if wanted.reason else []


def _before(connection: Connection, before_id: int, time: sa.ColumnElement[int]) -> Condition:
    """Continue behind a row."""
    at_ms = connection.execute(sa.select(_A.at_ms).where(_A.id == before_id)).scalar()
    if at_ms is None:
        return _A.id < before_id
    return sa.and_(time <= at_ms, sa.or_(time < at_ms, _A.id < before_id))


def _best(connection: Connection, filters: list[_Filter], wanted: Wanted) -> _Filter | None:
    """Choose the filter to go by: the one that leaves the fewest rows; if all leave many, one that is in order.

    None where going by time is best.
    """
    if len(filters) == 1 and filters[0].is_ordered:
        return filters[0]
    counts = {each: _count(connection, each, wanted) for each in filters}
    few = min(filters, key=lambda each: counts[each], default=None)
    if few is not None and counts[few] < _COMMON:
        return few
    return next((each for each in filters if each.is_ordered), None)


def _count(connection: Connection, one: _Filter, wanted: Wanted) -> int:
    """Count what a filter leaves, from its index alone, up to a limit."""
    time = _A.at_ms.expression if one.is_ordered else _off_index(_A.at_ms)
    some = sa.select(_A.id).where(one.condition(), *_times(wanted, time)).limit(_COMMON)
    return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
