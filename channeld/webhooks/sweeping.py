"""The sweep of the deliveries: what arrived or was given up long ago is forgotten, in small steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from channeld.catalog import deliveries
from channeld.catalog.database import Database
from channeld.clock import Clock

#: Deliveries that one transaction forgets: others wait for it.
_STEP: Final = 500


class Sweeper:
    """Sweeps one catalog."""

    def __init__(self, database: Database, clock: Clock, *, keep_seconds: int) -> None:
        self._database = database
        self._clock = clock
        self._keep_seconds = keep_seconds

    def sweep(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Forget what is old enough; return how much that was. Blocks.

        Raises:
            CatalogUnavailable: the database does not work; the next sweep goes on.
        """
        before_ms = self._clock.now_ms() - self._keep_seconds * 1000
        count = 0
        while not stopping():
            gone = self._database.write_now(lambda c: deliveries.forget(c, before_ms, _STEP))
            count += gone
            if gone < _STEP:
                break
        return count
