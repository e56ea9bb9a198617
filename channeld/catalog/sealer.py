"""The sealer at work inside a running server: it seals what the audit got, and tells the head of the chain.

The head is what an auditor compares a copy of the catalog with, so it goes to the log: at the start, at the end, and
once an hour when it has changed. Whoever can change the database cannot change what the log said.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import chainrows, sealing
from channeld.catalog.chain import START, Entry, Head
from channeld.catalog.database import Database
from channeld.catalog.sealing import Horizon
from channeld.clock import Clock
from channeld.errors import Unavailable

log = logging.getLogger(__name__)

#: Rows to a seal, at most: what is in memory, and what one INSERT writes (40 bytes for each).
BATCH_ROWS: Final = 1000
_TELL_SECONDS: Final = 3600.0
#: How long the server's end may be put off by what is not sealed yet.
_LAST_SECONDS: Final = 2.0

#: Told how far the audit is sealed, and for how many seconds the first row that is not sealed has waited.
OnRound = Callable[[int, float], None]


def _untold(_last_id: int, _lag_seconds: float) -> None:
    """Tell nobody."""


class Sealer:
    """Seals one catalog, round by round. Blocks; for one thread."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        on_round: OnRound = _untold,
        holder: str | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_round = on_round
        self._batch_rows = batch_rows
        #: Names one life of one process; never used again.
        self._holder = holder or secrets.token_hex(6)
        self._settling = _Settling()
        self._end: Head | None = None
        self._told: tuple[Head, float] | None = None
        self._failing = False

    def round(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Seal what can be sealed; while the database is away, say so once and leave it for the next round."""
        try:
            self.seal(stopping)
        except Unavailable as error:
            if not self._failing:
                log.warning("The audit could not be sealed, which is tried again. %s", error)
            self._failing = True
        else:
            if self._failing:
                log.info("The audit is being sealed again.")
            self._failing = False

    def seal(self, stopping: Callable[[], bool] = lambda: False) -> Head:
        """Seal what can be sealed, or a part of it when ``stopping`` returns true; return the head.

        Raises:
            CatalogUnavailable: the database does not work; what was sealed before stays so.
        """
        now_ms = self._clock.now_ms()
        others, end, horizon = self._database.read_now(partial(self._look, now_ms=now_ms))
        self._compare(end)
        settled = self._settling.after(horizon)
        while not others and end.last_id < settled and not stopping():
            entries = self._database.read_now(partial(self._batch, after=end.last_id, until=settled))
            grown = self._append(end, entries) if entries else None
            if grown is None:
                break
            self._end = end = grown
        self._tell(end, horizon)
        return end

    def close(self) -> None:
        """Seal what is left, as far as that is quick, and let another process seal at once."""
        deadline = self._clock.monotonic() + _LAST_SECONDS
        self.round(lambda: self._clock.monotonic() >= deadline)
        if self._end is not None:
            self._say(self._end)
        try:
            self._database.write_now(partial(sealing.give_back, holder=self._holder))
        except Unavailable as error:
            log.debug("The sealer's lease was not given back; it ends by itself. %s", error)

    def _look(self, connection: Connection, now_ms: int) -> tuple[bool, Head, Horizon]:
        others = sealing.sealed_by_another(connection, self._holder, now_ms)
        return others, chainrows.end_of_chain(connection), sealing.look(connection)

    def _batch(self, connection: Connection, after: int, until: int) -> list[Entry]:
        return list(chainrows.hashed(connection, after, until, self._batch_rows))

    def _append(self, end: Head, entries: list[Entry]) -> Head | None:
        now_ms = self._clock.now_ms()
        return self._database.write_now(
            lambda connection: sealing.append(connection, self._holder, end, entries, now_ms)
        )

    def _compare(self, end: Head) -> None:
        """Notice when the end of the chain that was there is gone."""
        before = self._end
        if before is not None and end != before and end.last_id <= before.last_id:
            log.error("The end of the audit's chain is gone: it was at %s, and is at %s.", before, end)
        self._end = end

    def _tell(self, end: Head, horizon: Horizon) -> None:
        oldest = None
        if end.last_id < horizon.last_id:
            oldest = self._database.read_now(sealing.oldest_waiting_ms)
        waited_ms = 0 if oldest is None else self._clock.now_ms() - oldest
        self._on_round(end.last_id, max(0.0, waited_ms / 1000))
        now = self._clock.monotonic()
        if self._told is None or (self._told[0] != end and now - self._told[1] >= _TELL_SECONDS):
            self._say(end)

    def _say(self, end: Head) -> None:
        self._told = end, self._clock.monotonic()
        if end != START:
            log.info("The head of the audit is %s", end)


class _Settling:
    """Works out up to which row the audit is settled, from looks at its end one after the other."""

    def __init__(self) -> None:
        self._settled = 0
        self._awaited: Horizon | None = None

    def after(self, horizon: Horizon) -> int:
        """Return up to which id no further row can appear, given one more look."""
        if not horizon.writers:
            self._settled, self._awaited = horizon.last_id, None
            return self._settled
        if self._awaited is not None and self._awaited.writers.isdisjoint(horizon.writers):
            self._settled, self._awaited = self._awaited.last_id, None
        if self._awaited is None:
            self._awaited = horizon
        return self._settled
