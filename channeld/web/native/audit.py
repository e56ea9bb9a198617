"""``/audit``: who changed what, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import orjson

from channeld.catalog import audit
from channeld.catalog.audit import AuditRow
from channeld.catalog.grants import Verb
from channeld.web.native.route import Answer, Call, Reply, Route
from channeld.web.native.values import time_text
from channeld.web.shapes import Between, Length


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which changes to list."""

    channel: Annotated[
        str, "Of this channel, also after it was deleted; of all if left out.", Length(128)
    ] = ""
    limit: Annotated[int, "Changes to a page.", Between(1, 1000)] = 100
    before: Annotated[int | None, "The `next` of the page before.", Between(1, 2**62)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change."""

    id: Annotated[int, "Its number; they grow."]
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
    """Changes, newest first."""

    entries: Annotated[tuple[AuditEntry, ...], "The changes."]
    next: Annotated[int | None, "To be given as `before` for the next page; null at the end."]


async def list_(call: Call, query: AuditQuery) -> Reply:
    if query.channel:
        call.require(Verb.CONFIGURE, query.channel)
    else:
        call.require(Verb.ADMIN, None)
    rows = await call.read(
        lambda connection: audit.newest(
            connection, channel=query.channel, limit=query.limit + 1, before_id=query.before
        )
    )
    shown = rows[: query.limit]
    more = shown[-1].id if len(rows) > query.limit else None
    return Reply(AuditPage(entries=tuple(map(_entry, shown)), next=more))


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=time_text(row.at_ms),
        actor=row.actor,
        origin=row.origin,
        action=row.action,
        channel=row.channel,
        subject=row.subject,
        before=orjson.loads(row.before) if row.before else None,
        after=orjson.loads(row.after) if row.after else None,
        reason=row.reason,
        revision=row.revision,
    )


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
)
