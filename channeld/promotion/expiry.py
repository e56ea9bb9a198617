"""Candidates whose time is over leave their staging channels: shown or hidden, pinned by a copy or not.

A copy that has pinned a candidate holds its bytes and needs nothing else of it. What is in a channel of another kind is
never looked at. One process at a time does it, under a lease; whoever else tries finds that out before it changes
anything. A candidate that is uploaded again in between has a new life, and stays.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import candidates, channels, leases
from channeld.catalog.audit import Actor
from channeld.catalog.candidates import is_staging
from channeld.catalog.channels import Channel
from channeld.catalog.database import Database
from channeld.catalog.rejections import ChannelMissing
from channeld.clock import Clock

log = logging.getLogger(__name__)

#: The lease under which candidates are removed.
LEASE: Final = "expiry"
#: One transaction takes milliseconds; whoever dies in between is waited for this long.
LEASE_MS: Final = 30_000


class Expiry:
    """Removes the expired candidates of one catalog. ``keep_seconds`` 0 removes none. Calls block."""

    def __init__(
        self, database: Database, clock: Clock, *, keep_seconds: int, batch: int = candidates.BATCH
    ) -> None:
        self._database = database
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._batch = batch
        #: Names one life of one process; never used again.
        self._holder = secrets.token_hex(6)

    def run(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Remove everything that is expired now, some at a time; returns how many candidates went.

        What is left when ``stopping`` returns true is for the next time.

        Raises:
            Unavailable: the database does not work.
        """
        if not self._keep_seconds:
            return 0
        before_ms = self._clock.now_ms() - self._keep_seconds * 1000
        removed = 0
        for channel in filter(is_staging, self._database.read_now(channels.every)):
            while not stopping():
                gone = self._step(channel, before_ms)
                if not gone:
                    break
                log.info("Removed %d expired candidates from %s", gone, channel.name)
                removed += gone
        return removed

    def _step(self, channel: Channel, before_ms: int) -> int:
        """Remove some candidates of a channel; 0 when there are none, or somebody else does it."""
        ids = self._database.read_now(
            lambda connection: candidates.expired(connection, channel, before_ms, self._batch)
        )
        if not ids:
            return 0
        now_ms = self._clock.now_ms()
        actor = Actor("channeld", "local", now_ms, f"uploaded more than {self._keep_seconds} seconds ago")

        def remove(connection: Connection) -> int:
            if leases.take(connection, LEASE, self._holder, now_ms, LEASE_MS) is None:
                return 0
            return candidates.expire(connection, channel.name, ids, before_ms, actor)

        try:
            return self._database.write_now(remove)
        except ChannelMissing:  # it was deleted meanwhile
            return 0
