"""The line of one webhook: its deliveries sent one after the other, and what becomes of each written down.

The mark comes after the answer. Whatever ends the process in between, the message is sent again with the same id:
twice perhaps, never not at all.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from channeld.catalog import deliveries, webhooks
from channeld.catalog.audit import Actor
from channeld.catalog.database import Database
from channeld.catalog.deliveries import Attempt, Delivery
from channeld.catalog.webhooks import Webhook, WebhookMissing
from channeld.clock import Clock
from channeld.errors import Unavailable
from channeld.webhooks.backoff import pause_seconds
from channeld.webhooks.messages import message_id
from channeld.webhooks.order import PATIENCE, choose
from channeld.webhooks.sending import Answer
from channeld.webhooks.signing import signed_headers

log = logging.getLogger(__name__)

Outcome = Literal["delivered", "failed", "dead"]
Send = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]

#: Who pauses a webhook whose receiver is gone.
_OURSELVES: Final = "webhooks"
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


@dataclass(slots=True)
class Health:
    """What this process knows of a receiver. It begins anew with every start."""

    #: Attempts that failed since one succeeded.
    failures: int = 0
    #: Whether the last one was of a delivery that was set aside, and failed.
    after_aside: bool = False
    #: Whether the last answer took long.
    slow: bool = False

    #: Whether it has taken a message.
    proven: bool = False

    def lane(self, delivery: Delivery) -> Lane:
        """Say with whom it stands; what was tried already tells of it what an earlier process knew."""
        if self.failures or self.slow or delivery.attempts:
            return Lane.DOUBTFUL
        return Lane.SOUND if self.proven else Lane.UNKNOWN


class Lane(enum.Enum):
    """What is known of receivers."""

    SOUND = "sound"
    UNKNOWN = "unknown"
    DOUBTFUL = "doubtful"


class Lanes:
    """Bounds how many messages are under way, for each lane by itself.

    So however many receivers fail, are slow or were never seen, those that are sound do not wait for them.
    """

    def __init__(self, concurrency: int) -> None:
        quarter = max(1, concurrency // 4)
        self._lanes = {
            Lane.SOUND: asyncio.Semaphore(concurrency),
            Lane.UNKNOWN: asyncio.Semaphore(quarter),
            Lane.DOUBTFUL: asyncio.Semaphore(quarter),
        }

    @asynccontextmanager
    async def enter(self, lane: Lane) -> AsyncIterator[bool]:
        """Take a place in a lane; yield whether that meant to wait for one."""
        places = self._lanes[lane]
        waited = places.locked()
        async with places:
            yield waited


@dataclass(frozen=True, slots=True)
class Post:
    """What all lines work with."""

    database: Database
    clock: Clock
    #: Sends a message once: its URL, header fields and body.
    send: Send
    lanes: Lanes
    #: Attempts after which a delivery is given up.
    attempts: int
    #: Seconds from which on an answer is slow.
    slow_seconds: float
    #: Returns a number from 0 to 1.
    chance: Callable[[], float]
    #: Tells whether this process is still the one that sends.
    may_send: Callable[[], bool]
    on_outcome: Callable[[Outcome], None]


class Line:
    """One webhook's. ``run`` sends what is due, and ends."""

    def __init__(self, post: Post, webhook_id: str, health: Health) -> None:
        self._post = post
        self._id = webhook_id
        self._health = health

    async def run(self) -> None:
        """Send everything whose time has come, one after the other.

        Raises:
            CatalogUnavailable: the database does not work; nothing was sent that was not written down.
        """
        while self._post.may_send():
            found = await self._post.database.read(self._next)
            if found is None:
                return
            async with self._post.lanes.enter(self._health.lane(found[1])) as waited:
                if waited:  # meanwhile it may have been paused
                    found = await self._post.database.read(self._next)
                if found is None or not self._post.may_send():
                    return
                webhook, delivery = found
                started = self._post.clock.monotonic()
                answer = await self._send(webhook, delivery)
                self._health.slow = self._post.clock.monotonic() - started > self._post.slow_seconds
            await self._settle(webhook, delivery, answer)

    def _next(self, connection: Connection) -> tuple[Webhook, Delivery] | None:
        try:
            webhook = webhooks.get(connection, self._id)
        except WebhookMissing:
            return None
        if webhook.paused_ms is not None:
            return None
        now_ms = self._post.clock.now_ms()
        chosen = choose(
            deliveries.head(connection, self._id, PATIENCE),
            deliveries.set_aside(connection, self._id, PATIENCE, now_ms),
            now_ms,
            after_aside=self._health.after_aside,
        )
        return (webhook, chosen) if chosen is not None else None

    async def _send(self, webhook: Webhook, delivery: Delivery) -> Answer:
        named = message_id(webhook.id, delivery.audit_id, delivery.at_ms)
        headers = signed_headers(webhook.secret, named, self._post.clock.now_ms() // 1000, delivery.body)
        return await self._post.send(webhook.url, headers, delivery.body)

    async def _settle(self, webhook: Webhook, delivery: Delivery, answer: Answer) -> None:
        """Write down what became of an attempt."""
        now_ms = self._post.clock.now_ms()
        attempt = self._judged(delivery, answer, now_ms)

        def work(connection: Connection) -> None:
            if answer.gone:
                actor = Actor(_OURSELVES, "local", now_ms, answer.problem)
                webhooks.pause(connection, webhook.id, actor)
            deliveries.note(connection, delivery.id, attempt)

        try:
            await self._written(work)
        except WebhookMissing:  # deleted meanwhile
            return
        self._tell(webhook, delivery, answer, attempt)

    def _judged(self, delivery: Delivery, answer: Answer, now_ms: int) -> Attempt:
        """Say what follows from an answer, and remember how the receiver does."""
        if not answer.problem:
            self._health.failures, self._health.after_aside, self._health.proven = 0, False, True
            return Attempt(now_ms)
        self._health.failures += 1
        tried = delivery.attempts + 1
        self._health.after_aside = tried > PATIENCE
        if tried >= self._post.attempts and not answer.gone:
            return Attempt(now_ms, answer.problem)
        in_a_row = max(tried, self._health.failures)
        pause = pause_seconds(in_a_row, self._post.chance(), answer.asked_seconds)
        return Attempt(now_ms, answer.problem, now_ms + round(pause * 1000))

    async def _written(self, work: Callable[[Connection], None]) -> None:
        """Write into the catalog, however long that takes: until it is written nothing more is sent."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._post.database.write(work)
            except Unavailable as error:
                if not self._post.may_send():
                    raise
                log.warning("What became of a delivery could not be noted, and is tried again. %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell(self, webhook: Webhook, delivery: Delivery, answer: Answer, attempt: Attempt) -> None:
        where = {"webhook": webhook.id, "delivery": delivery.id}
        if not answer.problem:
            self._post.on_outcome("delivered")
            return
        dead = attempt.next_ms is None
        self._post.on_outcome("dead" if dead else "failed")
        if answer.gone:
            log.warning(
                "The receiver of a webhook wants no more; it is paused. %s", answer.problem, extra=where
            )
        elif dead:
            log.warning("A delivery was given up. %s", answer.problem, extra=where)
        elif self._health.failures == 1:
            log.warning("A delivery failed and is tried again. %s", answer.problem, extra=where)
