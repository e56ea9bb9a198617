"""What happens when stored bytes turn out to be damaged while they are read: their view is rendered anew.

The reader gets 503; the catalog has everything that the view is made from, so a moment later its bytes are right again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter
from sqlalchemy import Connection

from channeld.catalog import channels, labels
from channeld.catalog.database import Database
from channeld.catalog.marking import Moment, mark
from channeld.clock import Clock
from channeld.errors import ChanneldError
from channeld.indexing.documents.names import CHANNEL_LEVEL
from channeld.indexing.packs import PieceDamaged
from channeld.web.urls import Resource

log = logging.getLogger(__name__)

#: Seconds in which one view is asked for once, however many readers meet the damage meanwhile.
PATIENCE_SECONDS: Final = 5.0


class Repairs:
    """Has damaged views rendered anew. For the event loop's thread."""

    def __init__(self, database: Database, clock: Clock, found: Counter, wake: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._found = found
        self._wake = wake
        self._asked: dict[tuple[str, str, str], float] = {}

    async def ask(self, resource: Resource, damage: PieceDamaged) -> None:
        """Mark the view that a URL belongs to as dirty as a whole, and wake the indexer."""
        view = (resource.channel, resource.label, resource.subdir or CHANNEL_LEVEL)
        now = self._clock.monotonic()
        if now - self._asked.get(view, float("-inf")) < PATIENCE_SECONDS:
            return
        self._asked[view] = now
        self._found.inc()
        log.error("A damaged piece was found while it was read. %s", damage, extra={"path": resource.path})
        now_ms = self._clock.now_ms()
        try:
            await self._database.write(lambda connection: _mark(connection, view, now_ms))
        except ChanneldError as error:
            del self._asked[view]
            log.warning("The view of the damaged piece could not be marked. %s", error)
        else:
            self._wake()


def _mark(connection: Connection, view: tuple[str, str, str], now_ms: int) -> None:
    channel_name, label_name, subdir = view
    channel = channels.lock(connection, [channel_name])[channel_name]
    label = labels.get(connection, channel, label_name)
    if subdir == CHANNEL_LEVEL:  # made from all views of the label, and rendered with them
        labels.mark_whole(connection, channel, label, channel.revision, now_ms)
    else:
        mark(connection, Moment(channel.id, channel.revision, now_ms), [(label.id, subdir)])
