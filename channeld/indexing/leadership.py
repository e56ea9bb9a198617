"""Leadership: of all processes that share a catalog, the one that holds the indexer's lease publishes.

The lease is taken when there is work and ends by itself, so an idle indexer writes nothing, and whoever survives takes
over within ``LEASE_MS``, or at once where it can be seen that the holder's process is gone (``lives``). A render that
takes long prolongs it as it makes progress: one that hangs loses it. The lease only keeps two from doing the same work;
that no two move a pointer is seen to by its epoch, at the flip.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from channeld import lives
from channeld.catalog import leases
from channeld.catalog.database import Database
from channeld.catalog.leases import Lease
from channeld.catalog.unavailable import CatalogUnavailable
from channeld.clock import Clock
from channeld.errors import Unavailable

log = logging.getLogger(__name__)

LEASE_MS: Final = 15_000


@dataclass(eq=False)
class NotTheIndexer(Unavailable):
    """Another process holds the lease."""

    holder: str

    advice: ClassVar[str] = "It renders; this process waits until the lease is free."

    def sentence(self) -> str:
        return f"The indexer's lease is held by {lives.short(self.holder) or 'another process'}."


class Leadership:
    """One process's hold on the lease. For the indexer's thread."""

    def __init__(self, database: Database, clock: Clock, holder: str | None = None) -> None:
        self._database = database
        self._clock = clock
        #: Names one life of one process; never used again.
        self.holder = holder or lives.new_name()
        self._lease: Lease | None = None

    def hold(self) -> Lease:
        """Take the lease, or prolong it when half of it is over.

        Raises:
            NotTheIndexer: another process holds it.
            CatalogUnavailable: the database does not work.
        """
        now_ms = self._clock.now_ms()
        if self._lease is not None and now_ms + LEASE_MS // 2 < self._lease.expires_ms <= now_ms + LEASE_MS:
            return self._lease
        held = self._database.read_now(lambda connection: leases.find(connection, leases.INDEXER))
        ended = held.holder if held is not None and lives.has_ended(held.holder) else ""
        if held is not None and held.holder not in (self.holder, ended) and held.expires_ms > now_ms:
            self._lease = None
            raise NotTheIndexer(held.holder)
        taken = self._database.write_now(
            lambda connection: leases.take(
                connection, leases.INDEXER, self.holder, now_ms, LEASE_MS, ended=ended
            )
        )
        if taken is None:
            self._lease = None
            raise NotTheIndexer("")
        self._lease = taken
        return taken

    def prolong(self) -> None:
        """Keep the lease that a render was begun with, as it makes progress.

        Raises:
            NotTheIndexer: another process has taken it; what is rendered would be refused.
        """
        begun = self._lease
        if begun is None:
            return
        try:
            lease = self.hold()
        except CatalogUnavailable as error:  # the flip will tell
            log.debug("The indexer's lease could not be prolonged. %s", error)
            return
        if lease.epoch != begun.epoch:
            raise NotTheIndexer("")

    def lost(self) -> None:
        """Forget the lease: a flip was refused, so it may be another's."""
        self._lease = None

    def release(self) -> None:
        """Let another process take over at once; if the catalog does not answer, the lease ends by itself."""
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                self._database.write_now(lambda connection: leases.release(connection, lease))
            except CatalogUnavailable as error:
                log.warning("The indexer's lease was not given back; it ends by itself. %s", error)

    def complain(self, trouble: str) -> None:
        """Leave a sentence for ``channeld status`` ("" when all is well), if it is not there already.

        Raises:
            CatalogUnavailable: the database does not work.
        """
        lease = self._lease
        if lease is not None and lease.trouble != trouble:
            self._database.write_now(lambda connection: leases.complain(connection, lease, trouble))
            self._lease = replace(lease, trouble=trouble)
