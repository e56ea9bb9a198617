"""Webhooks without a server around them: made in a catalog, fanned out and sent by a dispatcher of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, deliveries, webhooks
from channeld.catalog import tables as t
from channeld.catalog.audit import Change
from channeld.catalog.database import Database
from channeld.catalog.deliveries import Delivery
from channeld.catalog.webhooks import NewWebhook, Webhook
from channeld.clock import Clock, SystemClock
from channeld.settings.sections import Webhooks as WebhookSettings
from channeld.webhooks.dispatcher import Dispatcher, Listeners
from channeld.webhooks.events import EVENTS
from channeld.webhooks.signing import new_secret
from tests.support.catalog import CHANNEL, actor

SECRET: Final = new_secret(bytes(range(32)))
#: Settings under which receivers of tests are reached.
LOCAL: Final = WebhookSettings(allowed_networks=("127.0.0.0/8", "::1/128"), timeout_seconds=5)
_PATIENCE_SECONDS = 10.0


def all_of_it(connection: Connection) -> int:
    """Take every row of the audit for sealed."""
    return connection.execute(sa.select(sa.func.max(t.audit.c.id))).scalar() or 0


def make_webhook(
    database: Database,
    url: str = "http://127.0.0.1:1/",
    *,
    name: str = "hook",
    channels: str = "*",
    events: Iterable[str] = EVENTS,
    most: int = 1000,
) -> Webhook:
    """Create a webhook."""
    wanted = NewWebhook(name, channels, url, SECRET, tuple(events))
    return database.write_now(lambda connection: webhooks.create(connection, wanted, actor(), most=most))


def tell(database: Database, *changes: Change) -> None:
    """Append rows to the audit."""
    database.write_now(lambda connection: audit.record_each(connection, actor(), changes))


def refusal(number: int = 0, channel: str = CHANNEL) -> Change:
    """Return the row of a copy that was refused: news that needs nothing else in the catalog."""
    after = {"feedstock": "alpha", "label": "main", "outputs": {}, "errors": [], "comment": "No."}
    return Change("copy.refuse", channel, f"copy-{number}", after=after)


def sent_of(database: Database, webhook_id: str = "hook") -> list[Delivery]:
    """List a webhook's deliveries, oldest first."""
    found = database.read_now(lambda connection: deliveries.newest(connection, webhook_id, 10_000))
    return found[::-1]


def states_of(database: Database, webhook_id: str = "hook") -> list[str]:
    """List the states of a webhook's deliveries, oldest first."""
    return [delivery.state for delivery in sent_of(database, webhook_id)]


def tried(database: Database, *webhook_ids: str) -> bool:
    """Tell whether the oldest delivery of each of some webhooks was tried."""
    oldest = [sent_of(database, webhook_id)[:1] for webhook_id in webhook_ids]
    return all(found and found[0].attempts for found in oldest)


async def settled(database: Database, done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(round(_PATIENCE_SECONDS / 0.01)):
        if await asyncio.to_thread(done):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it was not so in {_PATIENCE_SECONDS} s")


@asynccontextmanager
async def dispatching(
    database: Database,
    *,
    clock: Clock | None = None,
    settings: WebhookSettings = LOCAL,
    sealed_until: Callable[[Connection], int] = all_of_it,
    listeners: Listeners | None = None,
    **changes: Any,
) -> AsyncIterator[Dispatcher]:
    """Run a dispatcher that looks often."""
    dispatcher = Dispatcher(
        database,
        clock or SystemClock(),
        replace(settings, **changes),
        sealed_until=sealed_until,
        chance=lambda: 0.5,
        listeners=listeners,
        poll_seconds=0.01,
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.stop()
