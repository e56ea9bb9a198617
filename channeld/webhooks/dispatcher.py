"""The dispatcher: of all processes that share a catalog, the one that makes deliveries and has them sent.

It looks several times a second whether rows of the audit were sealed and whether a delivery's time has come. It takes
its lease only when there is something to do, so an idle one writes nothing, and whoever survives takes over when the
lease has ended. Should two of them send for a moment, a message comes twice, with the same id.

In memory there is one delivery for each webhook at most; everything else waits in the catalog.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import deliveries, leases, webhooks
from channeld.catalog.database import Database
from channeld.catalog.deliveries import Backlog
from channeld.catalog.leases import Lease
from channeld.clock import Clock
from channeld.errors import Unavailable
from channeld.settings.sections import Webhooks as WebhookSettings
from channeld.webhooks import fanout
from channeld.webhooks.connecting import open_session
from channeld.webhooks.fanout import Place, Step
from channeld.webhooks.lines import Health, Lanes, Line, Outcome, Post
from channeld.webhooks.order import PATIENCE
from channeld.webhooks.sending import send
from channeld.webhooks.targets import Reach

log = logging.getLogger(__name__)

LEASE: Final = "webhooks"
LEASE_MS: Final = 15_000

POLL_SECONDS: Final = 0.25
#: How often the backlog is summed up.
_SUM_SECONDS: Final = 5.0
#: How long messages under way may take once the server is told to stop.
_GRACE_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0
#: How long a webhook rests whose line met a defect.
_DEFECT_SECONDS: Final = 60.0


def _ignore(_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told of the dispatcher's work: the metrics."""

    on_outcome: Callable[[Outcome], None] = _ignore
    on_backlog: Callable[[Backlog], None] = _ignore


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the catalog found."""

    #: The webhooks that are not paused.
    at_work: frozenset[str] = frozenset()
    steps: tuple[Step, ...] = ()
    #: The webhooks for which something is due.
    due: tuple[str, ...] = ()
    backlog: Backlog | None = None


@dataclass(slots=True)
class _Known:
    """What this life of this process knows of a webhook."""

    health: Health = field(default_factory=Health)
    place: Place | None = None


class Dispatcher:
    """Runs from ``start`` to ``stop``, on the event loop.

    ``sealed_until`` says up to which row the audit is final. ``chance`` returns numbers from 0 to 1, for the pauses.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: WebhookSettings,
        *,
        sealed_until: Callable[[Connection], int],
        chance: Callable[[], float],
        listeners: Listeners | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._sealed_until = sealed_until
        self._chance = chance
        self._listeners = listeners or Listeners()
        self._poll_seconds = poll_seconds
        #: Names one life of one process; never used again.
        self._holder = secrets.token_hex(6)
        self._lease: Lease | None = None
        self._known: dict[str, _Known] = {}
        self._lines: dict[str, asyncio.Task[None]] = {}
        self._next_sum = clock.monotonic()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._post: Post | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """Wait a little for what is under way, give the lease back and stop. What was not marked is sent again."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        settings = self._settings
        reach = Reach.of(settings.refused_networks, settings.allowed_networks)
        async with open_session(reach, 2 * settings.concurrency, settings.timeout_seconds) as session:
            self._post = Post(
                database=self._database,
                clock=self._clock,
                send=partial(send, session),
                lanes=Lanes(settings.concurrency),
                attempts=settings.attempts,
                slow_seconds=settings.timeout_seconds / 4,
                chance=self._chance,
                may_send=self._may_send,
                on_outcome=self._listeners.on_outcome,
            )
            await self._rounds()
            await self._finish()

    async def _rounds(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                pause = await self._round()
                failures = 0
            except Exception as error:  # it must go on whatever one round met
                failures += 1
                pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
                if isinstance(error, Unavailable):
                    log.warning("Webhooks wait. %s", error)
                else:
                    log.error("Webhooks wait for a defect.", exc_info=error)
            await self._wait(pause)

    async def _wait(self, seconds: float) -> None:
        if seconds:
            try:
                await asyncio.wait_for(self._stopping.wait(), seconds)
            except TimeoutError:
                return

    async def _round(self) -> float:
        """Look once, and do what there is to do; return for how long to wait."""
        seen = await self._looked()
        steps = [step for step in seen.steps if step.worth_writing]
        waiting = [webhook_id for webhook_id in seen.due if webhook_id not in self._lines]
        if not (steps or waiting or self._lines):
            return self._poll_seconds
        lease = await self._held()
        if lease is None:
            return self._poll_seconds
        for webhook_id in waiting:
            line = self._line(webhook_id, self._known_of(webhook_id).health)
            self._lines[webhook_id] = asyncio.create_task(line, name=f"webhook {webhook_id}")
        if not steps:
            return self._poll_seconds
        now_ms = self._clock.now_ms()
        if not await self._database.write(lambda c: fanout.carry_out(c, steps, lease, now_ms)):
            self._lease = None
        return 0.0

    async def _looked(self) -> _Seen:
        """Look at the catalog, and remember what need not be written down."""
        places = {name: known.place for name, known in self._known.items() if known.place is not None}
        summing = self._clock.monotonic() >= self._next_sum
        seen = await self._database.read(partial(self._look, places, summing))
        if seen.backlog is not None:
            self._next_sum = self._clock.monotonic() + _SUM_SECONDS
            self._listeners.on_backlog(seen.backlog)
        for webhook_id in self._known.keys() - seen.at_work - self._lines.keys():
            del self._known[webhook_id]
        for step in seen.steps:
            if not step.worth_writing:
                self._known_of(step.webhook.id).place = Place(step.webhook.seen_id, step.until)
        return seen

    def _look(self, places: Mapping[str, Place], summing: bool, connection: Connection) -> _Seen:
        """Look at the catalog, on one of its threads."""
        backlog = deliveries.backlog(connection) if summing else None
        listening = webhooks.at_work(connection)
        if not listening:
            return _Seen(backlog=backlog)
        at_work = frozenset(webhook.id for webhook in listening)
        steps = fanout.plan(connection, listening, self._sealed_until(connection), places)
        ready = deliveries.due(connection, PATIENCE, self._clock.now_ms())
        due = [webhook_id for webhook_id in ready if webhook_id in at_work]
        return _Seen(at_work, tuple(steps), tuple(due), backlog)

    def _known_of(self, webhook_id: str) -> _Known:
        return self._known.setdefault(webhook_id, _Known())

    async def _held(self) -> Lease | None:
        """Take the lease, or prolong it when half of it is over; None while another process holds it."""
        now_ms = self._clock.now_ms()
        lease = self._lease
        if lease is not None and now_ms + LEASE_MS // 2 < lease.expires_ms <= now_ms + LEASE_MS:
            return lease
        held = await self._database.read(lambda connection: leases.find(connection, LEASE))
        if held is not None and held.holder != self._holder and held.expires_ms > now_ms:
            self._lease = None
            return None
        self._lease = await self._database.write(
            lambda connection: leases.take(connection, LEASE, self._holder, now_ms, LEASE_MS)
        )
        return self._lease

    def _may_send(self) -> bool:
        lease = self._lease
        return not self._stopping.is_set() and lease is not None and self._clock.now_ms() < lease.expires_ms

    async def _line(self, webhook_id: str, health: Health) -> None:
        assert self._post is not None
        try:
            await Line(self._post, webhook_id, health).run()
        except Unavailable as error:
            log.warning("A webhook waits. %s", error, extra={"webhook": webhook_id})
            await self._wait(_FIRST_PAUSE)
        except Exception:
            log.exception("A webhook waits for a defect.", extra={"webhook": webhook_id})
            await self._wait(_DEFECT_SECONDS)
        finally:
            del self._lines[webhook_id]

    async def _finish(self) -> None:
        """Let go: of the lines, and of the lease."""
        if lines := list(self._lines.values()):
            _, late = await asyncio.wait(lines, timeout=_GRACE_SECONDS)
            for line in late:
                line.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                await self._database.write(lambda connection: leases.release(connection, lease))
            except Unavailable as error:
                log.warning("The lease of the webhooks was not given back; it ends by itself. %s", error)
