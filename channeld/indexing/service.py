"""The indexer at work inside a running server: it waits for dirty views, publishes them, and survives trouble.

A first change is rendered at once; what arrives meanwhile is the next batch. Changes made by other processes are found
by looking, several times a second. Trouble (a full disk, a database away) is logged once, left for ``channeld
status``, and tried again with growing pauses; the old generations stay.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from channeld.errors import Unavailable
from channeld.indexing.publisher import NotTheIndexer, Publication, Publisher

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0


class IndexerService:
    """Runs a ``Publisher`` on a thread of its own, from ``start`` to ``stop``."""

    def __init__(self, publisher: Publisher, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._publisher = publisher
        self._poll_seconds = poll_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="indexer")
        self._work = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        #: What went wrong last; "" when all is well.
        self.trouble = ""

    def wake(self) -> None:
        """Say that something is dirty. For the event loop's thread."""
        self._work.set()

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._run(), name="indexer")

    async def stop(self) -> None:
        """Finish the publication under way, give the lease back and stop."""
        self._stopping = True
        self._work.set()
        if self._task is not None:
            await self._task
        try:
            await self._call(self._publisher.release_lease)
        except Unavailable as error:
            log.warning("The indexer's lease was not given back; it ends by itself. %s", error)
        self._thread.shutdown(wait=True)

    async def _call(self, work: object) -> Publication | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)  # type: ignore[arg-type]

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            self._work.clear()
            try:
                busy = await self._call(self._publisher.publish_next) is not None
            except NotTheIndexer as error:
                log.debug("%s", error)
                await self._wait(self._poll_seconds * 10)
            except Exception as error:  # noqa: BLE001 - the indexer must go on whatever one round met
                await self._note(error)
                await self._wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                if self.trouble:
                    await self._recovered()
                if not busy:
                    await self._wait(self._poll_seconds)

    async def _wait(self, seconds: float) -> None:
        if not self._stopping:
            try:
                await asyncio.wait_for(self._work.wait(), seconds)
            except TimeoutError:
                return

    async def _note(self, error: Exception) -> None:
        text = str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
        if text != self.trouble:
            log.error(
                "Publishing failed and is tried again; what was published stays. %s",
                text,
                exc_info=None if isinstance(error, Unavailable) else error,
            )
            self.trouble = text
            await self._complain(text)

    async def _recovered(self) -> None:
        log.info("Publishing works again.")
        self.trouble = ""
        await self._complain("")

    async def _complain(self, text: str) -> None:
        try:
            await self._call(lambda: self._publisher.complain(text))
        except Unavailable as error:
            log.warning("The trouble could not be noted in the catalog: %s", error)
