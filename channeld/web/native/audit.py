"""``/audit``: who changed what, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from sqlalchemy import Connection

from channeld.catalog import sealing, trail
from channeld.catalog.audit import AuditRow
from channeld.catalog.grants import Verb
from channeld.catalog.trail import Wanted
from channeld.formats.rejections import shown
from channeld.web.native.route import Answer, Call, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.rejections import FieldWrong
from channeld.web.shapes import Between, Length

_TEXT: Final = Length(500)
_ID: Final = Between(0, 2**62)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which changes to list."""

    channel: Annotated[
        str, "Of this channel, also after it was deleted; of all if left out.", Length(128)
    ] = ""
    action: Annotated[str, "Of this sort, such as `file.add`, or `file.*` for all about files.", _TEXT] = ""
    actor: Annotated[
        str, "By this token, by its id, or this local command; `*` at the end for any rest.", _TEXT
    ] = ""
    subject: Annotated[str, "Of this subject; `*` at the end for any rest: `noarch/numpy-2.*`.", _TEXT] = ""
    reason: Annotated[str, "With this in the reason, in upper or lower case.", _TEXT] = ""
    since: Annotated[
        str, "Not before this date or time (RFC 3339; UTC unless it says otherwise).", Length(40)
    ] = ""
    until: Annotated[str, "Before this date or time.", Length(40)] = ""
    limit: Annotated[int, "Changes to a page.", Between(1, 1000)] = 100
    before: Annotated[int | None, "The `next` of the page before.", _ID] = None
    after: Annotated[
        int | None,
        "Follow the audit: changes with a higher id, oldest first, once each. They come when they are sealed, and "
        "`next` says where to go on, also where there is nothing yet.",
        _ID,
    ] = None

    @property
    def wanted(self) -> Wanted:
        """The filters; raises ``FieldWrong``."""
        return Wanted(
            channel=self.channel,
            action=self.action,
            actor=self.actor,
            subject=self.subject,
            reason=self.reason,
            since_ms=_moment("since", self.since),
            until_ms=_moment("until", self.until),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change."""

    id: Annotated[int, "Its number."]
    at: Annotated[str, "When."]
    actor: Annotated[str, "The id of the token, or the local command, that did it."]
    origin: Annotated[str, "The address that it came from."]
    action: Annotated[str, "What was done, such as `file.add`."]
    channel: Annotated[str, "In which channel; empty for what is about none."]
    subject: Annotated[str, "To what."]
    before: Annotated[Any, "How it was."]
    after: Annotated[Any, "How it is."]
    reason: Annotated[str, "Why, as far as it was told."]
    revision: Annotated[int, "The revision of the channel that has it; 0 for what is about no channel."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Changes, newest first; following, oldest first."""

    entries: Annotated[tuple[AuditEntry, ...], "The changes."]
    next: Annotated[
        int | None,
        "To be given as `before` for the next page, null at the end; following, as `after` for what comes next.",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """How far the changes are sealed."""

    last_id: Annotated[int, "The last change that is sealed."]
    head: Annotated[
        str,
        "What the chain comes to there. Noted elsewhere, it proves later that nothing up to there was changed.",
    ]
    sealed: Annotated[str | None, "When the last seal was made; null before the first."]
    waiting: Annotated[int, "Changes that are not sealed yet."]


async def list_(call: Call, query: AuditQuery) -> Reply:
    if query.channel:
        call.require(Verb.CONFIGURE, query.channel)
    else:
        call.require(Verb.ADMIN, None)
    wanted = query.wanted
    if query.after is None:
        entries, continued = await call.read(lambda connection: _page(connection, wanted, query))
    elif query.before is None:
        after_id = query.after
        entries, continued = await call.read(
            lambda connection: trail.following(connection, wanted, after_id=after_id, limit=query.limit)
        )
    else:
        raise FieldWrong("after", str(query.after), "given without `before`")
    return Reply(AuditPage(entries=tuple(map(_entry, entries)), next=continued))


def _page(connection: Connection, wanted: Wanted, query: AuditQuery) -> tuple[list[AuditRow], int | None]:
    rows = trail.page(connection, wanted, limit=query.limit + 1, before_id=query.before)
    shown_rows = rows[: query.limit]
    return shown_rows, shown_rows[-1].id if len(rows) > query.limit else None


async def head(call: Call) -> Reply:
    found = await call.read(sealing.standing)
    return Reply(
        AuditHead(
            last_id=found.head.last_id,
            head=str(found.head),
            sealed=optional_time(found.sealed_ms),
            waiting=found.waiting,
        )
    )


def _moment(field: str, text: str) -> int | None:
    """Read a date or a time as milliseconds; None for an empty text."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        must = "a date or a time such as 2024-05-01 or 2024-05-01T12:00:00Z"
        raise FieldWrong(field, shown(text), must) from None


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=time_text(row.at_ms),
        actor=row.actor,
        origin=row.origin,
        action=row.action,
        channel=row.channel,
        subject=row.subject,
        before=_value(row.before),
        after=_value(row.after),
        reason=row.reason,
        revision=row.revision,
    )


def _value(text: str) -> Any:
    """Read what is JSON, as far as nobody has changed it in the database."""
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return text


ROUTES = (
    Route(
        "GET",
        "/audit",
        "List changes, newest first",
        list_,
        (Answer(200, "A page of changes.", AuditPage),),
        right=Verb.CONFIGURE,
        text="The changes of all channels need the right `admin` on the server as a whole.",
    ),
    Route(
        "GET",
        "/audit/head",
        "Show how far the changes are sealed",
        head,
        (Answer(200, "The head of the chain.", AuditHead),),
        right="",
        text="Any valid token will do, so that a witness on another machine can note the head.",
    ),
)
