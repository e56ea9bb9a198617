"""The sweep of the blob store: what nobody names any more goes, in small steps beside the uploads.

Four sorts of leftover, each with an age below which it is left alone:

- artifacts whose every file was deleted: as long as generations are kept that show them, since snapshots serve them;
- artifacts that no file names, whose candidates have expired or whose channels are gone: an hour;
- bytes that no row names, which a crash between bytes and row leaves: an hour;
- temporary files that nobody has written to: some hours. The start of the server removes them too.

Calls block; any number of processes may sweep at the same time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from channeld.blobs import durable
from channeld.blobs.local import PREFIXES, LocalBlobs
from channeld.catalog import sweeping
from channeld.catalog.database import Database
from channeld.clock import Clock
from channeld.intake.keeping import forget_bytes, named_among

log = logging.getLogger(__name__)

#: Seconds for which bytes may lie without a row: from their being kept to the end of the transaction takes
#: milliseconds, and while the database is away about a minute.
UNNAMED_SECONDS: Final = 3600.0
#: Seconds after the last write at which an unfinished upload is over; a silent client is given up much sooner.
UNFINISHED_SECONDS: Final = 6 * 3600.0
#: Files that one transaction may remove: uploads wait for it.
_REMOVED: Final = 50
#: Artifacts that are looked at in one go, which takes some hundredths of a second.
_LOOKED_AT: Final = 5_000
#: How long a rest after that is, in times of what it took, and in seconds at most: the server may want to stop.
_RESTS: Final = 9
_LONGEST_REST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed."""

    #: Artifacts given up because their files were deleted long ago, or are gone altogether.
    artifacts: int
    #: Stored files without a row, those of the artifacts included.
    blobs: int
    #: Unfinished uploads.
    unfinished: int


class Sweeper:
    """Sweeps one instance. ``keep_artifacts_seconds`` 0 keeps those of deleted files for ever."""

    def __init__(
        self,
        database: Database,
        blobs: LocalBlobs,
        clock: Clock,
        *,
        keep_artifacts_seconds: int,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._keep_artifacts_seconds = keep_artifacts_seconds
        self._rest = rest

    def sweep(self, stopping: Callable[[], bool] = lambda: False) -> Swept:
        """Sweep once; what is left when ``stopping`` returns true is for the next time.

        Raises:
            Unavailable: disk or database; the next sweep finds what this one left.
        """
        now = self._clock.now_ms() / 1000
        artifacts = self._give_artifacts_up(stopping)
        blobs = sum(self._sweep_shelf(prefix, now - UNNAMED_SECONDS) for prefix in PREFIXES if not stopping())
        unfinished = durable.sweep(self._blobs.incoming, now - UNFINISHED_SECONDS)
        swept = Swept(artifacts, blobs, unfinished)
        if swept != Swept(0, 0, 0):
            log.info("Swept %d artifacts, %d stored files and %d unfinished uploads", *_counts(swept))
        return swept

    def _give_artifacts_up(self, stopping: Callable[[], bool]) -> int:
        """Forget artifacts that nothing needs any more. Their bytes go with the unnamed ones."""
        now_ms = self._clock.now_ms()
        keep_ms = self._keep_artifacts_seconds * 1000
        ages = now_ms - keep_ms if keep_ms else 0, now_ms - round(UNNAMED_SECONDS * 1000)
        after = count = 0
        while not stopping():
            begun = self._clock.monotonic()
            find = partial(sweeping.last_of_next, after=after, count=_LOOKED_AT)
            last = self._database.read_now(find)
            if last is None:
                break
            count += self._give_up_among((after + 1, last), ages, stopping)
            after = last
            spent = self._clock.monotonic() - begun
            self._rest(min(spent * _RESTS, _LONGEST_REST))  # meanwhile others have the processor
        return count

    def _give_up_among(
        self, among: tuple[int, int], ages: tuple[int, int], stopping: Callable[[], bool]
    ) -> int:
        before_ms, unnamed_before_ms = ages
        find = partial(
            sweeping.orphans, before_ms=before_ms, unnamed_before_ms=unnamed_before_ms, among=among
        )
        count = 0
        while not stopping() and (ids := self._database.read_now(find)):
            now_ms = self._clock.now_ms()

            def give_up(connection: Connection, ids: list[int] = ids, now_ms: int = now_ms) -> int:
                return len(
                    sweeping.sweep_artifacts(
                        connection, ids, before_ms, now_ms, unnamed_before_ms=unnamed_before_ms
                    )
                )

            given_up = self._database.write_now(give_up)
            count += given_up
            if not given_up:  # all of them are wanted again
                break
        return count

    def _sweep_shelf(self, prefix: str, untouched_since: float) -> int:
        """Remove the unnamed bytes of one folder."""
        hashes = self._blobs.names(prefix)
        named = self._database.read_now(partial(named_among, hashes=hashes)) if hashes else set()
        unnamed = [sha256 for sha256 in hashes if sha256 not in named]
        count = 0
        for start in range(0, len(unnamed), _REMOVED):
            some = unnamed[start : start + _REMOVED]
            forget = partial(forget_bytes, blobs=self._blobs, hashes=some, untouched_since=untouched_since)
            count += self._database.write_now(forget)
        return count


def _counts(swept: Swept) -> tuple[int, int, int]:
    return swept.artifacts, swept.blobs, swept.unfinished
