"""Webhooks: who is told of what happens, where and with which secret. What is to be sent is in ``deliveries``.

A webhook follows the audit: ``seen_id`` is the last row that was looked at for it. So a paused one costs nothing and
misses nothing, and what it has not seen yet is kept once, for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, deliveries
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.grants import matches
from channeld.errors import Rejected

#: What the audit calls the wish for a test event.
PING_ACTION: Final = "webhook.ping"

_WILD: Final = frozenset("*?")


@dataclass(eq=False)
class WebhookMissing(Rejected):
    """There is no such webhook."""

    webhook_id: str

    advice: ClassVar[str] = "List the webhooks to see their ids."

    def sentence(self) -> str:
        return f"There is no webhook with the id {self.webhook_id!r}."


@dataclass(eq=False)
class WebhookPaused(Rejected):
    """Nothing is sent to a webhook that is paused, so no test event either."""

    webhook_id: str

    advice: ClassVar[str] = "Resume it first."

    def sentence(self) -> str:
        return f"The webhook {self.webhook_id!r} is paused."


@dataclass(eq=False)
class TooManyWebhooks(Rejected):
    """There are as many webhooks as the operator allows."""

    most: int

    advice: ClassVar[str] = "Delete one that is no longer needed, or raise the setting webhooks.most."

    def sentence(self) -> str:
        return f"There are {self.most} webhooks already."


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as the catalog knows it."""

    id: str
    #: Pattern of channels, as in a grant.
    channels: str
    #: Its path or query may be a credential of the receiver's, so it is neither logged nor put into the audit.
    url: str = field(repr=False)
    #: Key of the signatures, ``whsec_…``.
    secret: str = field(repr=False)
    events: tuple[str, ...]
    created_ms: int
    created_by: str
    paused_ms: int | None
    seen_id: int

    @property
    def channel(self) -> str:
        """The one channel that it is about; empty if its pattern may fit several."""
        return only_channel(self.channels)

    def wants(self, event: str, channel: str) -> bool:
        """Tell whether it is to be told of an event of a channel."""
        return event in self.events and matches(self.channels, channel)


def only_channel(pattern: str) -> str:
    """Return the one channel that a pattern fits; empty if there may be several."""
    return "" if _WILD & set(pattern) else pattern


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a webhook is to be. All of it was checked before."""

    id: str
    channels: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    events: tuple[str, ...]


def create(connection: Connection, wanted: NewWebhook, actor: Actor, *, most: int) -> Webhook:
    """Add a webhook, which is told of everything from now on.

    Raises:
        TooManyWebhooks: there are ``most`` of them.
    """
    count = connection.execute(sa.select(sa.func.count()).select_from(t.webhooks)).scalar_one()
    if count >= most:
        raise TooManyWebhooks(most)
    _write_down(connection, actor, "webhook.create", wanted, after=_told(wanted))
    connection.execute(
        t.webhooks.insert().values(
            id=wanted.id,
            channels=wanted.channels,
            url=wanted.url,
            secret=wanted.secret,
            events=orjson.dumps(wanted.events).decode(),
            created_ms=actor.now_ms,
            created_by=actor.id,
            paused_ms=None,
            seen_id=_newest_audit_id(connection),
        )
    )
    return get(connection, wanted.id)


def _newest_audit_id(connection: Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(t.audit.c.id))).scalar() or 0)


def _told(webhook: Webhook | NewWebhook) -> dict[str, Any]:
    """What the audit is told of a webhook: of its URL no more than whose it is."""
    url = urlsplit(webhook.url)
    return {
        "channels": webhook.channels,
        "events": list(webhook.events),
        "origin": f"{url.scheme}://{url.netloc}",
    }


def _write_down(
    connection: Connection,
    actor: Actor,
    action: str,
    webhook: Webhook | NewWebhook,
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    audit.record(connection, actor, Change(action, only_channel(webhook.channels), webhook.id, before, after))


def get(connection: Connection, webhook_id: str) -> Webhook:
    """Look a webhook up; raises ``WebhookMissing``."""
    row = connection.execute(sa.select(t.webhooks).where(t.webhooks.c.id == webhook_id)).first()
    if row is None:
        raise WebhookMissing(webhook_id)
    return _from_row(row)


def _locked(connection: Connection, webhook_id: str) -> Webhook:
    query = sa.select(t.webhooks).where(t.webhooks.c.id == webhook_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise WebhookMissing(webhook_id)
    return _from_row(row)


def every(connection: Connection) -> list[Webhook]:
    """List all webhooks, in the order in which they were made."""
    query = sa.select(t.webhooks).order_by(t.webhooks.c.created_ms, t.webhooks.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def at_work(connection: Connection) -> list[Webhook]:
    """List those that are not paused, by how far they have seen the audit."""
    query = sa.select(t.webhooks).where(t.webhooks.c.paused_ms.is_(None))
    return [
        _from_row(row) for row in connection.execute(query.order_by(t.webhooks.c.seen_id, t.webhooks.c.id))
    ]


def _from_row(row: sa.Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        channels=row.channels,
        url=row.url,
        secret=row.secret,
        events=tuple(orjson.loads(row.events)),
        created_ms=row.created_ms,
        created_by=row.created_by,
        paused_ms=row.paused_ms,
        seen_id=row.seen_id,
    )


def pause(connection: Connection, webhook_id: str, actor: Actor) -> None:
    """Send nothing to a webhook until it is resumed. Raises ``WebhookMissing``."""
    webhook = _locked(connection, webhook_id)
    if webhook.paused_ms is None:
        _set(connection, webhook, paused_ms=actor.now_ms)
        _write_down(connection, actor, "webhook.pause", webhook)


def resume(connection: Connection, webhook_id: str, actor: Actor, *, skip: bool) -> None:
    """Go on with a webhook: with what happened since it was paused, or, to ``skip`` that, with what happens now.

    Raises:
        WebhookMissing: there is none.
    """
    webhook = _locked(connection, webhook_id)
    if webhook.paused_ms is None:
        return
    if skip:
        deliveries.skip(connection, webhook_id, actor.now_ms)
    seen_id = max(webhook.seen_id, _newest_audit_id(connection)) if skip else webhook.seen_id
    _set(connection, webhook, paused_ms=None, seen_id=seen_id)
    _write_down(connection, actor, "webhook.resume", webhook, after={"skipped": skip})


def delete(connection: Connection, webhook_id: str, actor: Actor) -> None:
    """Forget a webhook and everything that was or is to be sent to it. Raises ``WebhookMissing``."""
    webhook = _locked(connection, webhook_id)
    connection.execute(t.webhooks.delete().where(t.webhooks.c.id == webhook_id))
    _write_down(connection, actor, "webhook.delete", webhook, before=_told(webhook))


def ask_for_ping(connection: Connection, webhook_id: str, actor: Actor) -> None:
    """Have a test event sent: a row of the audit, which becomes one like every other.

    Raises:
        WebhookMissing: there is none.
        WebhookPaused: it would not be sent.
    """
    webhook = get(connection, webhook_id)
    if webhook.paused_ms is not None:
        raise WebhookPaused(webhook_id)
    _write_down(connection, actor, PING_ACTION, webhook)


def retry(connection: Connection, webhook_id: str, actor: Actor, delivery_id: int | None = None) -> int:
    """Have one delivery tried again now, or all that have not arrived; return how many.

    Raises:
        WebhookMissing, DeliveryMissing, DeliveryDone: as they say.
    """
    webhook = _locked(connection, webhook_id)
    count = deliveries.retry(connection, webhook_id, actor.now_ms, delivery_id)
    if count:
        _write_down(connection, actor, "webhook.retry", webhook, after={"deliveries": count})
    return count


def move_on(connection: Connection, webhook: Webhook, seen_id: int) -> bool:
    """Note that the audit was looked at up to a row; False if somebody else did meanwhile, or it was paused."""
    mine = sa.and_(
        t.webhooks.c.id == webhook.id,
        t.webhooks.c.seen_id == webhook.seen_id,
        t.webhooks.c.paused_ms.is_(None),
    )
    return connection.execute(t.webhooks.update().where(mine).values(seen_id=seen_id)).rowcount == 1


def _set(connection: Connection, webhook: Webhook, **values: Any) -> None:
    connection.execute(t.webhooks.update().where(t.webhooks.c.id == webhook.id).values(**values))
