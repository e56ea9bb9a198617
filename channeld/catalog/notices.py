"""Notices: what a channel tells everybody who uses it (CEP 6). Clients read them in ``notices.json``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.rejections import NoticeMissing
from channeld.formats.notices import Notice

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def add(connection: Connection, channel_name: str, notice: Notice, actor: Actor) -> int:
    """Put a notice up, in place of the one with its id; return the new revision, or 0 when it hangs there already.

    Raises:
        ChannelMissing: there is no such channel.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    values = _values(notice)
    before = connection.execute(sa.select(t.notices).where(_named(channel, notice.id))).first()
    if before is not None and _values(_from_row(before)) == values:
        return 0
    revision = channels.next_revision(connection, channel)
    if before is None:
        connection.execute(t.notices.insert().values(channel_id=channel.id, id=notice.id, **values))
    else:
        connection.execute(t.notices.update().where(_named(channel, notice.id)).values(**values))
    was = _from_row(before).document() if before is not None else None
    change = Change("notice.add", channel_name, notice.id, was, notice.document(), revision)
    audit.record(connection, actor, change)
    return revision


def expire(connection: Connection, channel_name: str, notice_id: str, actor: Actor) -> int:
    """Take a notice down, now; return the new revision, or 0 when it had expired already.

    Raises:
        ChannelMissing, NoticeMissing: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    row = connection.execute(sa.select(t.notices).where(_named(channel, notice_id))).first()
    if row is None:
        raise NoticeMissing(channel_name, notice_id)
    if row.expires_ms <= actor.now_ms:
        return 0
    revision = channels.next_revision(connection, channel)
    connection.execute(t.notices.update().where(_named(channel, notice_id)).values(expires_ms=actor.now_ms))
    before = _from_row(row).document()
    audit.record(connection, actor, Change("notice.expire", channel_name, notice_id, before, None, revision))
    return revision


def every(connection: Connection, channel: Channel) -> list[Notice]:
    """List a channel's notices, the expired ones too, oldest first."""
    mine = sa.select(t.notices).where(t.notices.c.channel_id == channel.id)
    return [
        _from_row(row) for row in connection.execute(mine.order_by(t.notices.c.created_ms, t.notices.c.id))
    ]


def current(connection: Connection, channel: Channel, now_ms: int) -> list[Notice]:
    """List the notices that clients are to see, oldest first."""
    return [notice for notice in every(connection, channel) if _milliseconds(notice.expires_at) > now_ms]


def _named(channel: Channel, notice_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(t.notices.c.channel_id == channel.id, t.notices.c.id == notice_id)


def _values(notice: Notice) -> dict[str, Any]:
    return {
        "message": notice.message,
        "level": notice.level,
        "created_ms": _milliseconds(notice.created_at),
        "expires_ms": _milliseconds(notice.expires_at),
    }


def _from_row(row: sa.Row[Any]) -> Notice:
    return Notice(row.id, row.message, row.level, _time(row.created_ms), _time(row.expires_ms))


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MILLISECOND


def _time(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
