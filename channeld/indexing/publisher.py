"""Publishing: dirty rows in, a new generation of every dirty view of a channel out, all flipped in one transaction.

In this order, so that a crash at any point leaves the old generation whole and the work still marked as dirty:

1. hold the indexer's lease;
2. in one snapshot, read what is dirty in a channel and render it (pages and tables into a pack);
3. make the pack durable, and the frames that sendfile serves;
4. in one transaction: check the lease, move all pointers, delete exactly the dirty rows of the snapshot.

Step 4 is the commit point. There is no other way by which a generation becomes visible: the first rendering of an
import, the repair of a damaged page and the recovery after a crash are the same four steps.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import leases, views
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.views import DirtyWork, Flip, ViewKey, ViewWork
from channeld.clock import Clock
from channeld.errors import Unavailable
from channeld.formats.relations import ChannelRelations
from channeld.indexing import generation
from channeld.indexing.assembly import Assembly
from channeld.indexing.documents import current
from channeld.indexing.documents.channel import render_channeldata
from channeld.indexing.documents.names import CHANNEL_LEVEL
from channeld.indexing.generation import Documents, Paged
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.rebuild import rebuild_view
from channeld.indexing.render import Engine, Render, Rendered

log = logging.getLogger(__name__)

LEASE_MS = 15_000


@dataclass(eq=False)
class NotTheIndexer(Unavailable):
    """Another process holds the lease."""

    holder: str

    advice: ClassVar[str] = "It renders; this process waits until the lease is free."

    def sentence(self) -> str:
        return f"The indexer's lease is held by {self.holder or 'another process'}."


@dataclass(frozen=True, slots=True)
class Publication:
    """One flip: what became visible, and how long the oldest change in it had waited."""

    channel: str
    revision: int
    views: tuple[str, ...]
    changes: int
    waited_ms: int
    render_ms: int
    bytes_written: int


@dataclass(slots=True)
class Published:
    """What ``Publisher`` counts for the metrics."""

    generations: int = 0
    rebuilt_after_damage: int = 0
    bytes_written: int = 0


@dataclass(frozen=True, slots=True)
class _Before:
    """A view's last generation."""

    number: int
    documents: Documents = field(default_factory=dict)


class Publisher:
    """Renders and flips. One per process; its calls block, so they run on a thread of the indexer's."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        assembly: Assembly,
        clock: Clock,
        *,
        holder: str | None = None,
        on_publication: Callable[[Publication], None] = lambda publication: None,
    ) -> None:
        self.database = database
        self.engine = engine
        self.assembly = assembly
        self.clock = clock
        self.holder = holder or secrets.token_hex(6)
        self.counts = Published()
        self._on_publication = on_publication
        self._lease: leases.Lease | None = None

    def publish_all(self) -> list[Publication]:
        """Publish until nothing is dirty."""
        publications = []
        while (publication := self.publish_next()) is not None:
            publications.append(publication)
        return publications

    def publish_next(self) -> Publication | None:
        """Publish the channel that has waited longest; None when nothing is dirty.

        Raises:
            NotTheIndexer: another process holds the lease.
            FlipRefused: another writer was quicker; nothing was moved, and the work is still dirty.
            Unavailable: disk or database; likewise.
        """
        lease = self.hold_lease()
        started = self.clock.monotonic()
        now_ms = self.clock.now_ms()
        pack = self.engine.packs.writer(f"{now_ms:013d}-{lease.epoch}-{secrets.token_hex(6)}")
        try:
            with self.database.snapshot() as connection:
                work = self._next_work(connection)
                if work is None:
                    pack.discard()
                    return None
                render = Render(self.engine, pack, now_ms)
                before = self._render(connection, render, work)
                rendered = render.finish()
        except BaseException:
            pack.discard()
            raise
        self._assemble(rendered, before)
        self._flip(lease, work, rendered, before)
        publication = Publication(
            work.channel,
            work.revision,
            tuple(f"{one.key.label}/{one.key.subdir}" for one in rendered),
            len(work.dirty_ids),
            max(0, self.clock.now_ms() - work.since_ms),
            round((self.clock.monotonic() - started) * 1000),
            pack.size,
        )
        self.counts.generations += len(rendered)
        self.counts.bytes_written += pack.size
        self._on_publication(publication)
        return publication

    def hold_lease(self) -> leases.Lease:
        """Take or prolong the indexer's lease; raises ``NotTheIndexer``."""
        now = self.clock.now_ms()
        if self._lease is not None and self._lease.expires_ms - now > LEASE_MS / 2:
            return self._lease
        taken = self.database.write_now(
            lambda connection: leases.take(connection, leases.INDEXER, self.holder, now, LEASE_MS)
        )
        if taken is None:
            self._lease = None
            held = self.database.read_now(lambda connection: leases.find(connection, leases.INDEXER))
            raise NotTheIndexer(held.holder if held else "")
        self._lease = taken
        return taken

    def release_lease(self) -> None:
        """Let another process take over at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self.database.write_now(lambda connection: leases.release(connection, lease))

    def complain(self, trouble: str) -> None:
        """Leave a sentence for ``channeld status`` ("" when all is well), as far as the catalog answers."""
        lease = self._lease
        if lease is not None:
            self.database.write_now(lambda connection: leases.complain(connection, lease, trouble))

    def _next_work(self, connection: Connection) -> DirtyWork | None:
        for channel_id, _ in views.dirty_channels(connection):
            work = views.dirty_work(connection, channel_id)
            if work is not None:
                return work
        return None

    def _render(self, connection: Connection, render: Render, work: DirtyWork) -> dict[ViewKey, _Before]:
        """Render every dirty view, and the channel-level view of each label that has one."""
        before: dict[ViewKey, _Before] = {}
        for one in work.views:
            if one.key.subdir == CHANNEL_LEVEL:
                continue
            before[one.key] = self._start(connection, render, one.key)
            self._render_view(connection, render, one)
        for label_work in _by_label(work):
            key = label_work[0].key
            top = ViewKey(
                key.channel_id, key.label_id, CHANNEL_LEVEL, key.channel, key.label, key.lists_removed
            )
            before[top] = self._start(connection, render, top)
            render_channeldata(render, connection, top, label_work, _subdirs(connection, label_work))
        return before

    def _start(self, connection: Connection, render: Render, key: ViewKey) -> _Before:
        last = views.current(connection, key.label_id, key.subdir)
        before = _Before(last.number, generation.decode(last.documents)) if last else _Before(0)
        render.start(key, before.documents)
        return before

    def _render_view(self, connection: Connection, render: Render, work: ViewWork) -> None:
        relations = _relations(connection, work.key)
        whole = work.filenames is None or not render.has_documents(work.key)
        if not whole:
            try:
                render.edit_view(connection, work, relations)
            except PieceDamaged as damage:
                self.counts.rebuilt_after_damage += 1
                log.error(
                    "Rebuilding the view %s/%s/%s from the catalog: %s",
                    work.key.channel,
                    work.key.label,
                    work.key.subdir,
                    damage,
                )
                whole = True
        if whole:
            rebuild_view(render, connection, work.key, relations)
        current.render_small(render, connection, work.key, relations)

    def _assemble(self, rendered: list[Rendered], before: dict[ViewKey, _Before]) -> None:
        """Have the frames ready before anybody can ask for them."""
        for one in rendered:
            old = before[one.key].documents
            for name, document in one.documents.items():
                if isinstance(document, Paged):
                    previous = old.get(name)
                    self.assembly.ensure(document, previous if isinstance(previous, Paged) else None)

    def _flip(
        self, lease: leases.Lease, work: DirtyWork, rendered: list[Rendered], before: dict[ViewKey, _Before]
    ) -> None:
        flips = [
            Flip(one.key, before[one.key].number, generation.encode(one.documents), one.new_shards)
            for one in rendered
        ]

        def commit(connection: Connection) -> None:
            if not leases.holds(connection, lease):
                raise views.FlipRefused(f"{work.channel} (the lease was lost)")
            views.flip(connection, work, flips, lease.epoch, self.clock.now_ms())

        try:
            self.database.write_now(commit)
        except views.FlipRefused:
            self._lease = None
            raise


def _by_label(work: DirtyWork) -> Iterator[list[ViewWork]]:
    gathered: dict[int, list[ViewWork]] = {}
    for one in work.views:
        gathered.setdefault(one.key.label_id, []).append(one)
    yield from gathered.values()


def _subdirs(connection: Connection, works: list[ViewWork]) -> set[str]:
    """Name the subdirs that a label has something in, or had."""
    published = views.published(connection, works[0].key.label_id)
    return ({view.subdir for view in published} | {work.key.subdir for work in works}) - {CHANNEL_LEVEL}


def _relations(connection: Connection, key: ViewKey) -> ChannelRelations:
    """Return what the label declares about other channels (CEP 42)."""
    text = connection.execute(sa.select(t.labels.c.relations).where(t.labels.c.id == key.label_id)).scalar()
    return ChannelRelations(**orjson.loads(text)) if text else ChannelRelations()
