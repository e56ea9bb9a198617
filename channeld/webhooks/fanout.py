"""From the audit to deliveries: each sealed row is looked at once for each webhook.

Planning reads, and so keeps no writer waiting; carrying out inserts the deliveries and moves ``seen_id`` in one
transaction, if nobody else did meanwhile. So every event becomes one delivery for each webhook that wants it, however
often a process ends in between.

A webhook for which much waits already gets no more for the time being: what it has not seen is kept by the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from channeld.catalog import audit, channels, deliveries, leases, selection, webhooks
from channeld.catalog.audit import AuditRow
from channeld.catalog.channels import Channel
from channeld.catalog.deliveries import NewDelivery
from channeld.catalog.leases import Lease
from channeld.catalog.webhooks import Webhook
from channeld.webhooks.events import PING, RULES, Event, event_of
from channeld.webhooks.messages import body_of

#: Rows of the audit that are looked at in one go.
BATCH: Final = 200
#: Deliveries that may wait for one webhook before it gets no more.
FULL: Final = 200
#: Rows without news after which a webhook's place is written down all the same.
LAG: Final = 1000
#: Bytes of bodies that one plan may hold; which webhooks it leaves out are the first ones of the next.
_PLAN_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """How far a webhook is: ``looked`` is beyond ``seen``, which the catalog has, where nothing was news."""

    seen: int
    looked: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at the audit brings a webhook."""

    webhook: Webhook
    #: The last row that was looked at.
    until: int
    new: tuple[NewDelivery, ...] = ()

    @property
    def worth_writing(self) -> bool:
        return bool(self.new) or self.until - self.webhook.seen_id >= LAG


def plan(
    connection: Connection, listening: Sequence[Webhook], sealed_id: int, places: Mapping[str, Place]
) -> list[Step]:
    """Look at what is sealed and was not looked at, for each of some webhooks; changes nothing."""
    crowded = deliveries.waiting(connection)
    behind = [
        (_from(webhook, places), webhook)
        for webhook in listening
        if crowded.get(webhook.id, 0) < FULL and _from(webhook, places) < sealed_id
    ]
    behind.sort(key=lambda pair: (pair[0], pair[1].id))
    steps: list[Step] = []
    size = 0
    for position, group in groupby(behind, key=lambda pair: pair[0]):
        rows = audit.following(connection, position, sealed_id, RULES.keys(), BATCH)
        until = rows[-1].id if len(rows) == BATCH else sealed_id
        news = _News(connection, rows)
        for _, webhook in group:
            steps.append(Step(webhook, until, news.to(webhook)))
            size += sum(len(one.body) for one in steps[-1].new)
            if size > _PLAN_BYTES:
                return steps
    return steps


def _from(webhook: Webhook, places: Mapping[str, Place]) -> int:
    place = places.get(webhook.id)
    return place.looked if place is not None and place.seen == webhook.seen_id else webhook.seen_id


class _News:
    """What some rows tell, worked out once for all webhooks."""

    def __init__(self, connection: Connection, rows: Sequence[AuditRow]) -> None:
        self._connection = connection
        self._channels: dict[str, Channel | None] = {}
        told = ((row, self._event(row)) for row in rows)
        self._events = [(row, event) for row, event in told if event is not None]

    def to(self, webhook: Webhook) -> tuple[NewDelivery, ...]:
        """Write what one webhook wants to be told of."""
        return tuple(
            NewDelivery(row.id, row.at_ms, event.name, body_of(row, event, webhook.id))
            for row, event in self._events
            if _is_for(webhook, row, event)
        )

    def _event(self, row: AuditRow) -> Event | None:
        channel = self._channel(row.channel) if row.channel else None
        event = event_of(row, channel.settings.kind if channel is not None else None)
        if event is None or event.file is None or channel is None:
            return event
        return Event(event.name, {**event.data, **self._facts(channel, *event.file)})

    def _channel(self, name: str) -> Channel | None:
        if name not in self._channels:
            self._channels[name] = channels.find(self._connection, name)
        return self._channels[name]

    def _facts(self, channel: Channel, subdir: str, filename: str) -> dict[str, Any]:
        """Say which bytes a file is. In a standard channel a name has the same ones for ever, also once deleted."""
        found = selection.candidates(self._connection, channel, subdir, filename, deleted=True)
        return (
            {"sha256": found[-1].sha256, "size": found[-1].size} if found else {"sha256": None, "size": None}
        )


def _is_for(webhook: Webhook, row: AuditRow, event: Event) -> bool:
    return row.subject == webhook.id if event.name == PING else webhook.wants(event.name, row.channel)


def carry_out(connection: Connection, steps: Sequence[Step], lease: Lease, now_ms: int) -> bool:
    """Have deliveries made as planned; False, and nothing, where another process holds the lease meanwhile.

    A webhook that has been changed since it was planned for is left for the next time.
    """
    if not leases.holds(connection, lease):
        return False
    for step in sorted(steps, key=lambda step: step.webhook.id):
        if webhooks.move_on(connection, step.webhook, step.until):
            deliveries.add(connection, step.webhook.id, step.new, now_ms)
    return True
