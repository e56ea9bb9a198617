"""Sweeping: what nothing refers to any more is removed, and packs that are mostly dead are merged.

Rows go first and bytes after the commit, so a crash leaves bytes that nobody names and never names without bytes. All
of it is done by the holder of the indexer's lease, between publications and in steps of bounded size. A pack that is
younger than the grace period is left alone: somebody may be about to refer to it.

1. Generations that were replaced long enough ago are dropped; the one that is served never is.
2. Shards that no current generation lists are retired, and dropped when the generations that list them are gone too.
3. Packs of which nothing is reached are deleted. What is reached of packs that are mostly dead is moved to a merged
   pack first; it is found there under the places that it always had, so no table is rewritten, no digest changes.
4. Frames beyond those of the last two generations go, oldest first, when they take more room than they may.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from channeld.blobs import durable
from channeld.catalog import channels, repairing, sweeping, viewlist
from channeld.catalog.database import Database
from channeld.catalog.views import ViewKey
from channeld.clock import Clock
from channeld.indexing import generation
from channeld.indexing.assembly import Assembly, frame_digests
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.generation import Whole
from channeld.indexing.leadership import Leadership
from channeld.indexing.packindex import StoredPiece
from channeld.indexing.packs import PackName, Packs, PieceDamaged
from channeld.indexing.reach import Walk

log = logging.getLogger(__name__)

_DAY: Final = 86_400
#: A pack is merged when less than this part of it is live.
_MOSTLY_DEAD: Final = 0.5
#: One merged pack holds about so many bytes of at most so many packs: that bounds what one step does.
_MERGED_BYTES: Final = 32 * 1024 * 1024
_MERGED_PACKS: Final = 200
_PACKS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept; seconds."""

    #: Replaced generations; 0 keeps all of them.
    generations: int = 90 * _DAY
    #: Replaced shards (CEP 16: a week).
    shards: int = 7 * _DAY
    #: Bytes of frames that belong to neither of the last two generations.
    frame_bytes: int = 2 * 1024**3
    #: Whatever nothing refers to, for the sake of who may be about to.
    grace: int = 3600


@dataclass(slots=True)
class Swept:
    """What sweeps have removed so far."""

    generations: int = 0
    shards: int = 0
    packs: int = 0
    merged: int = 0
    frames: int = 0
    #: Bytes of packs that are gone.
    freed: int = 0


@dataclass(slots=True)
class _Batch:
    """Packs that are merged together, and what lives in each."""

    packs: list[tuple[str, list[StoredPiece]]] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, live: list[StoredPiece]) -> None:
        self.packs.append((name, live))
        self.size += sum(piece.place.size for piece in live)

    @property
    def is_full(self) -> bool:
        return self.size >= _MERGED_BYTES or len(self.packs) == _MERGED_PACKS


class Sweeper:
    """Removes what nothing needs. For the indexer's thread."""

    def __init__(
        self,
        database: Database,
        packs: Packs,
        assembly: Assembly,
        leadership: Leadership,
        clock: Clock,
        retention: Retention | None = None,
    ) -> None:
        self._database = database
        self._packs = packs
        self._assembly = assembly
        self._leadership = leadership
        self._clock = clock
        self._retention = retention or Retention()
        self.counts = Swept()

    def sweep(self) -> Swept:
        """Sweep everything; returns what was removed since the beginning.

        Raises:
            NotTheIndexer: another process holds the lease.
            Unavailable: disk or database.
        """
        for _ in self.steps():
            pass
        return self.counts

    def steps(self) -> Iterator[None]:
        """Sweep, a little at each step; a sweep that is given up half-way has done no harm."""
        begun_ms = self._clock.now_ms()
        for _ in self._all(begun_ms):
            self._leadership.hold()
            yield

    def _all(self, begun_ms: int) -> Iterator[None]:
        yield
        yield from self._forget_generations(begun_ms)
        ids = [channel.id for channel in self._database.read_now(channels.every)]
        for channel_id in ids:
            yield from self._sweep_shards(channel_id, begun_ms)
            yield from self._sweep_packs(channel_id, begun_ms)
        yield from self._sweep_strangers(set(ids), begun_ms)
        yield from self._sweep_frames(begun_ms)

    def _kept_ms(self) -> int | None:
        """Return for how long a replaced generation is kept; None for ever."""
        retention = self._retention
        return max(retention.generations, retention.grace) * 1000 if retention.generations else None

    def _forget_generations(self, begun_ms: int) -> Iterator[None]:
        kept_ms = self._kept_ms()
        if kept_ms is not None:
            forget = partial(sweeping.forget_generations, before_ms=begun_ms - kept_ms)
            while dropped := len(self._database.write_now(forget)):
                self.counts.generations += dropped
                yield

    def _sweep_shards(self, channel_id: int, begun_ms: int) -> Iterator[None]:
        yield from self._retire_shards(channel_id, begun_ms)
        kept_ms = self._kept_ms()
        if kept_ms is not None:
            before_ms = begun_ms - max(kept_ms, self._retention.shards * 1000)
            forget = partial(sweeping.sweep_shards, channel_id=channel_id, before_ms=before_ms)
            while dropped := len(self._database.write_now(forget)):
                self.counts.shards += dropped
                yield

    def _retire_shards(self, channel_id: int, begun_ms: int) -> Iterator[None]:
        """Note since when no current generation lists a shard; older ones that do are dropped no later than it."""
        with self._database.snapshot() as connection:
            seen = sweeping.pointers(connection, channel_id)
            indexes = [
                document
                for _, one in viewlist.current(connection, channel_id)
                if isinstance(document := generation.decode(one.documents).get(SHARDS), Whole)
            ]
        live: set[bytes] = set()
        for index in indexes:
            try:
                live.update(shards.read_index(self._packs.read(index.place)).values())
            except PieceDamaged as damage:
                log.error("No shard of the channel %d is retired for now. %s", channel_id, damage)
                return
            yield
        retire = partial(sweeping.retire_shards, channel_id=channel_id, live=live, seen=seen, now_ms=begun_ms)
        while self._database.write_now(retire):
            yield

    def _sweep_packs(self, channel_id: int, begun_ms: int) -> Iterator[None]:
        names = self._old_packs(begun_ms, {channel_id})
        if not names:
            return
        walk = Walk(self._database, self._packs, channel_id)
        yield from walk.steps()
        if self._is_damaged(channel_id, walk):
            return
        self._packs.find_merged()
        batch = _Batch()
        for number, name in enumerate(names):
            live = self._live_pieces(name, walk, begun_ms)
            if live is not None and not live:
                self._delete(str(name))
            elif live and self._is_mostly_dead(str(name), live):
                batch.add(str(name), live)
            if batch.is_full:
                self._merge(channel_id, batch)
                batch = _Batch()
            if number % _PACKS_AT_ONCE == 0:
                yield
        if batch.packs:
            self._merge(channel_id, batch)

    def _old_packs(self, begun_ms: int, channel_ids: set[int], *, others: bool = False) -> list[PackName]:
        """List the packs of some channels, or of all others, that are older than the grace period; oldest first."""
        before_ms = begun_ms - self._retention.grace * 1000
        parsed = [name for text in self._packs.names() if (name := PackName.parse(text)) is not None]
        wanted = [
            name for name in parsed if (name.channel_id in channel_ids) != others and name.made_ms < before_ms
        ]
        return sorted(wanted, key=lambda name: name.made_ms)

    def _is_damaged(self, channel_id: int, walk: Walk) -> bool:
        """Tell whether a page table that is served cannot be read: then nothing is deleted before it is made anew."""
        if not walk.damaged:
            return False
        with self._database.snapshot() as connection:
            served = {(one.view_id, one.number): key for key, one in viewlist.current(connection, channel_id)}
        hurt: list[ViewKey] = [served[one] for one in walk.damaged if one in served]
        for key in hurt:
            log.error("A page table of %s/%s/%s cannot be read.", key.channel, key.label, key.subdir)
            self._database.write_now(partial(repairing.mark_view, key=key, now_ms=self._clock.now_ms()))
        return bool(hurt)

    def _live_pieces(self, name: PackName, walk: Walk, begun_ms: int) -> list[StoredPiece] | None:
        """List the pieces of a pack that are reached; None where that cannot be told, or is not worth looking.

        As long as the generation for which it was written is kept, nearly all of a pack is live.
        """
        if str(name) not in walk.reached.packs and not name.merged:
            return []
        kept_ms = self._kept_ms()
        if kept_ms is None or name.made_ms > begun_ms - kept_ms:
            return None
        pieces = self._packs.pieces_of(str(name))
        if pieces is None:
            return None
        return [
            piece
            for piece in pieces
            if self._packs.answers(str(name), piece) and walk.reached.has(piece.place.pack, piece.place.start)
        ]

    def _is_mostly_dead(self, name: str, live: list[StoredPiece]) -> bool:
        return sum(piece.place.size for piece in live) < self._packs.size_of(name) * _MOSTLY_DEAD

    def _merge(self, channel_id: int, batch: _Batch) -> None:
        """Move what lives in some packs to a new one; packs with a damaged piece stay as they are."""
        lease = self._leadership.hold()
        name = PackName.new(channel_id, self._clock.now_ms(), lease.epoch, merged=True)
        pack = self._packs.writer(name)
        moved = []
        try:
            for old, pieces in batch.packs:
                try:
                    read = [(piece.place, self._packs.read(piece.place)) for piece in pieces]
                except PieceDamaged as damage:
                    log.error("The pack %s is not merged. %s", old, damage)
                    continue
                for place, data in read:
                    pack.take_over(place, data)
                moved.append(old)
            pack.commit()
        except BaseException:
            pack.discard()
            raise
        self._packs.took_over(str(name), pack.pieces())
        for old in moved:
            self._delete(old)
        self.counts.merged += bool(moved)
        self.counts.freed -= self._packs.size_of(str(name))

    def _delete(self, name: str) -> None:
        self.counts.packs += 1
        self.counts.freed += self._packs.size_of(name)
        self._packs.delete(name)

    def _sweep_strangers(self, channel_ids: set[int], begun_ms: int) -> Iterator[None]:
        """Remove packs of channels that are gone, and temporary files that nobody writes any more."""
        for name in self._old_packs(begun_ms, channel_ids, others=True):
            self._delete(str(name))
            yield
        durable.sweep(self._packs.folder, begun_ms / 1000 - self._retention.grace)
        yield

    def _sweep_frames(self, begun_ms: int) -> Iterator[None]:
        kept: set[str] = set()
        with self._database.snapshot() as connection:
            for _, one in viewlist.recent(connection):
                kept |= frame_digests(generation.decode(one.documents))
        before = begun_ms / 1000 - self._retention.grace
        self.counts.frames += self._assembly.sweep(kept, self._retention.frame_bytes, before)
        yield
