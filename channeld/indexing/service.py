"""The indexer at work inside a running server: it waits for dirty views, publishes them, and survives trouble.

A first change is rendered at once; what arrives meanwhile is the next batch. After a large batch, and when one
publication follows the other, more is on its way: it is given time to come together, twice as long as the last
publication took, so that a third of the processor time is for publishing and the rest for what is uploaded. No pause
is so long that a change would wait for more than 0.5 seconds. Changes made by other processes are found by looking,
several times a second.

Trouble (a full disk, a database away) is logged once, left for ``channeld status``, and tried again with growing
pauses; the old generations stay.

When nothing is dirty there is time for what is behind the publish path: pages pressed ahead, documents that are drawn
late (``refresh``), and sweeping, a step at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from channeld.catalog.views import FlipRefused
from channeld.clock import Clock
from channeld.errors import Unavailable
from channeld.indexing.leadership import NotTheIndexer
from channeld.indexing.publisher import ChannelStuck, Publication, Publisher
from channeld.indexing.refresh import Drawing, Refresher
from channeld.indexing.stopping import Stopped
from channeld.indexing.sweeping import Sweeper

T = TypeVar("T")

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.1
SWEEP_SECONDS: Final = 600.0
_BREATH: Final = 2.0  # times as long as the publication took
_LONGEST_WAIT: Final = 0.5  # seconds from a change to its being live, as far as pauses can help it
_SWEEPING_SHARE: Final = 0.05  # of the time, at most
_DONE: Final = object()
_LOOK_SECONDS: Final = 10.0  # between two looks for stale documents
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 15.0


class IndexerService:
    """Runs a ``Publisher`` on a thread of its own, from ``start`` to ``stop``.

    With a ``sweeper`` it removes what nothing needs any more, every ``sweep_seconds``; with a ``refresher`` it has
    documents drawn that are too dear for the publish path.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        sweeper: Sweeper | None = None,
        refresher: Refresher | None = None,
        poll_seconds: float = POLL_SECONDS,
        breath_after: Callable[[Publication], float] | None = None,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._publisher = publisher
        self._poll_seconds = poll_seconds
        self._breath_after = breath_after or breath
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="indexer")
        self._rests = Rests(publisher.clock)
        self._idle = _Idle(publisher, sweeper, refresher, sweep_seconds)
        self._work = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        #: What went wrong last; "" when all is well.
        self.trouble = ""
        #: When it is noted in the catalog again, after that failed; on the monotonic clock.
        self._note_again = 0.0

    def wake(self) -> None:
        """Say that something is dirty. For the event loop's thread."""
        self._work.set()

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._run(), name="indexer")

    async def stop(self) -> None:
        """Give up what is under way, give the lease back and stop. What was not published stays dirty."""
        self._stopping.set()
        self._publisher.stop.set()
        self._idle.stop()
        self._work.set()
        if self._task is not None:
            await self._task
        await self._call(self._publisher.leadership.release)
        self._thread.shutdown(wait=True)
        await asyncio.get_running_loop().run_in_executor(None, self._idle.close)

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._work.clear()
            try:
                resting = self._rests.channels()
                made = await self._call(partial(self._publisher.publish_next, resting))
                await self._told(self._publisher.trouble)
                if made is not None:
                    self._rests.begin(made.channel_id, self._breath_after(made))
                elif resting:
                    await self._wait(min(self._poll_seconds, self._rests.left()))
                elif not await self._call(self._idle.step):
                    await self._wait(self._poll_seconds)
            except Stopped:
                return
            except NotTheIndexer as error:
                log.debug("%s", error)
                await self._wait(self._poll_seconds * 10)
            except ChannelStuck as error:
                log.error("%s", error, exc_info=error.__cause__)
            except Exception as error:  # noqa: BLE001 - the indexer must go on whatever one round met
                await self._failed(error)
            else:
                self._failures = 0

    async def _wait(self, seconds: float) -> None:
        if not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._work.wait(), seconds)
            except TimeoutError:
                return

    async def _failed(self, error: Exception) -> None:
        self._failures += 1
        pause = min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        if isinstance(error, FlipRefused) and self._failures == 1:  # two writers met; one of them went on
            log.info("%s", error)
        else:
            unexpected = None if isinstance(error, Unavailable) else error
            text = f"{type(error).__name__}: {error}" if unexpected else str(error)
            await self._told(text, unexpected)
        await self._wait_out(pause)

    async def _wait_out(self, seconds: float) -> None:
        """Wait, though there is work."""
        self._work.clear()
        await self._wait(seconds)

    async def _told(self, trouble: str, error: Exception | None = None) -> None:
        """Keep in mind what is wrong, or that nothing is; log it when it changes, and leave it in the catalog."""
        if trouble != self.trouble:
            if trouble:
                log.error(
                    "Publishing failed and is tried again; what was published stays. %s",
                    trouble,
                    exc_info=error,
                )
            else:
                log.info("Publishing works again.")
            self.trouble = trouble
            self._note_again = 0.0
        now = self._publisher.clock.monotonic()
        if now < self._note_again:
            return
        try:
            await self._call(lambda: self._publisher.leadership.complain(trouble))
        except Exception as failed:
            self._note_again = now + _LONGEST_PAUSE
            unexpected = None if isinstance(failed, Unavailable) else failed
            log.warning("The trouble could not be noted in the catalog: %s", failed, exc_info=unexpected)


def breath(made: Publication) -> float:
    """Say for how many seconds the next publication waits, though there be something to publish.

    What comes just after a publication began waits for its end, for the pause, and for the publication of its own.
    """
    if not made.hurried:
        return 0.0
    spent = made.render_ms / 1000
    return min(_BREATH * spent, max(0.0, _LONGEST_WAIT - 2 * spent))


class Rests:
    """The channels that wait for more to come together, while others go on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Channel → when it may be published again, on the monotonic clock.
        self._until: dict[int, float] = {}

    def begin(self, channel_id: int, seconds: float) -> None:
        """Let a channel rest for some seconds from now."""
        if seconds > 0:
            self._until[channel_id] = self._clock.monotonic() + seconds

    def channels(self) -> frozenset[int]:
        """Return the channels that rest now."""
        now = self._clock.monotonic()
        self._until = {channel_id: until for channel_id, until in self._until.items() if until > now}
        return frozenset(self._until)

    def left(self) -> float:
        """Return for how many seconds the first of them rests on; 0 where none does."""
        return max(0.0, min(self._until.values(), default=0.0) - self._clock.monotonic())


class _Idle:
    """What the indexer's thread does when nothing is dirty, in steps that do not keep a publication waiting."""

    def __init__(
        self, publisher: Publisher, sweeper: Sweeper | None, refresher: Refresher | None, sweep_seconds: float
    ) -> None:
        self._publisher = publisher
        self._sweeper = sweeper
        self._sweep_seconds = sweep_seconds
        self._clock = publisher.clock
        self._next_sweep = self._clock.monotonic() + sweep_seconds
        self._next_look = self._clock.monotonic()
        self._sweeping: Iterator[None] | None = None
        self._swept_for = 0.0
        self._drawing = Drawing(publisher, refresher) if refresher is not None else None

    def step(self) -> bool:
        """Do a bit; False when there is nothing to do now."""
        self._publisher.ahead.step()
        return self._draw() or self._sweep()

    def _draw(self) -> bool:
        now = self._clock.monotonic()
        if self._drawing is None or (not self._drawing.is_busy and now < self._next_look):
            return False
        self._next_look = now + _LOOK_SECONDS
        return self._drawing.step()

    def _sweep(self) -> bool:
        begun = self._clock.monotonic()
        if self._sweeper is None or (self._sweeping is None and begun < self._next_sweep):
            return False
        if self._sweeping is None:
            self._sweeping, self._swept_for = self._sweeper.steps(), 0.0
        sweeping, self._sweeping = self._sweeping, None  # should it fail, the next one begins anew
        done = next(sweeping, _DONE) is _DONE
        now = self._clock.monotonic()
        self._swept_for += now - begun
        self._next_sweep = now + max(self._sweep_seconds, self._swept_for / _SWEEPING_SHARE)
        if not done:
            self._sweeping = sweeping
        return not done

    def stop(self) -> None:
        """Have what is under way give up. For any thread."""
        if self._drawing is not None:
            self._drawing.stop()

    def close(self) -> None:
        """Wait for the end."""
        if self._drawing is not None:
            self._drawing.close()
