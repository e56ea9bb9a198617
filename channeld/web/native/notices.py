"""``/channels/{channel}/notices``: what a channel tells everybody who uses it (CEP 6)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from sqlalchemy import Connection

from channeld.catalog import channels, notices
from channeld.catalog.channels import Channel
from channeld.catalog.grants import Verb
from channeld.catalog.rejections import NoticeMissing
from channeld.formats.notices import BadNotice, Notice, encode_notices
from channeld.web.native.access import sight_of
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.shapes import Between, Length

_YEAR_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A notice to put up."""

    message: Annotated[str, "What to say: plain text.", Length(4096)]
    level: Annotated[Literal["info", "warning", "critical"], "How grave it is."] = "info"
    id: Annotated[
        str | None, "Its id; a notice with the same one is replaced. Made up if left out.", Length(128)
    ] = None
    expires_in_seconds: Annotated[int, "For how long it hangs.", Between(1, _YEAR_SECONDS)] = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeState:
    """A notice, as notices.json has it."""

    id: Annotated[str, "Its id."]
    message: Annotated[str, "What it says."]
    level: Annotated[str, "How grave it is: `info`, `warning` or `critical`."]
    created_at: Annotated[str, "Since when it hangs."]
    expires_at: Annotated[str, "Until when."]
    current: Annotated[bool, "Whether clients see it now."]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeList:
    """The notices of a channel, oldest first."""

    notices: Annotated[tuple[NoticeState, ...], "The notices."]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeQuery:
    """Which notices to list."""

    expired: Annotated[bool, "Those that have expired, too."] = False


def _state(call: Call, notice: Notice) -> NoticeState:
    document = notice.document()
    return NoticeState(
        id=notice.id,
        message=notice.message,
        level=notice.level,
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        current=notice.expires_at > _time(call.now_ms),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


async def list_(call: Call, channel: str, query: NoticeQuery) -> Reply:
    sight = await sight_of(call, channel)

    def find(connection: Connection) -> list[Notice]:
        if query.expired:
            return notices.every(connection, sight.channel)
        return notices.current(connection, sight.channel, call.now_ms)

    found = await call.read(find)
    return Reply(NoticeList(notices=tuple(_state(call, notice) for notice in found)))


async def add(call: Call, channel: str, body: NewNotice) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    now = _time(call.now_ms)
    notice = Notice.parse(
        {
            "id": body.id if body.id is not None else secrets.token_hex(8),
            "message": body.message,
            "level": body.level,
            "created_at": now.isoformat(),
            "expires_at": (now + timedelta(seconds=body.expires_in_seconds)).isoformat(),
        }
    )

    def work(connection: Connection) -> None:
        locked = channels.lock(connection, [channel])[channel]
        _check_room(connection, locked, notice, call.now_ms)
        notices.add(connection, channel, notice, call.actor)

    await call.write(work)
    return Reply(_state(call, notice), 201)


def _check_room(connection: Connection, channel: Channel, notice: Notice, now_ms: int) -> None:
    """Make sure that clients can read the document with the new notice; raises ``NoticesTooLarge``."""
    others = [each for each in notices.current(connection, channel, now_ms) if each.id != notice.id]
    encode_notices([*others, notice])


async def expire(call: Call, channel: str, notice: str) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    await call.write(lambda connection: notices.expire(connection, channel, notice, call.actor))
    return Reply(status=204)


ROUTES = (
    Route(
        "GET",
        "/channels/{channel}/notices",
        "List notices",
        list_,
        (Answer(200, "The notices.", NoticeList),),
    ),
    Route(
        "POST",
        "/channels/{channel}/notices",
        "Put a notice up",
        add,
        (Answer(201, "Clients see it from now on.", NoticeState),),
        right=Verb.CONFIGURE,
        refusals=(BadNotice,),
        headers=(REASON,),
    ),
    Route(
        "DELETE",
        "/channels/{channel}/notices/{notice}",
        "Take a notice down",
        expire,
        (Answer(204, "It has expired."),),
        right=Verb.CONFIGURE,
        refusals=(NoticeMissing,),
        headers=(REASON,),
    ),
)
