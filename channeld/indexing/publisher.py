"""Publishing: dirty rows in, a new generation of every dirty view of a channel out, all flipped in one transaction.

In this order, so that a crash at any point leaves the old generation whole and the work still marked as dirty:

1. hold the indexer's lease;
2. in one snapshot, read what is dirty in a channel and render it;
3. compress what is new and make the pack durable; have the frames ready that sendfile serves;
4. in one transaction: check the lease, move all pointers, delete exactly the dirty rows of the snapshot.

Step 4 is the commit point. There is no other way by which a generation becomes visible: the first rendering of an
import, the repair of a damaged page and the recovery after a crash are the same four steps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final

from sqlalchemy import Connection

from channeld.catalog import leases, repairing, views
from channeld.catalog.database import Database
from channeld.catalog.leases import Lease
from channeld.catalog.views import DirtyWork, Flip, FlipRefused, ViewKey
from channeld.clock import Clock
from channeld.errors import Unavailable
from channeld.indexing import generation
from channeld.indexing.ahead import Ahead
from channeld.indexing.assembly import Assembly
from channeld.indexing.documents.names import CURRENT
from channeld.indexing.generation import Document, Documents, Paged
from channeld.indexing.leadership import Leadership, NotTheIndexer
from channeld.indexing.packs import PackName
from channeld.indexing.render import Engine, Render, Rendered, ViewDamaged, damage_of
from channeld.indexing.stopping import StopFlag, Stopped
from channeld.indexing.work import Before, render_work

log = logging.getLogger(__name__)

#: Changes in one publication from which on there are probably more to come.
LARGE_BATCH: Final = 16
#: Seconds after a publication in which a change is taken for one of many: it is published as quickly as can be.
CALM_AFTER: Final = 0.5

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


@dataclass(eq=False)
class ChannelStuck(Unavailable):
    """One channel cannot be rendered; the others go on."""

    channel: str
    problem: str

    advice: ClassVar[str] = "What was published of it stays; it is tried again after a pause."

    def sentence(self) -> str:
        return f"The channel {self.channel} could not be rendered: {self.problem.rstrip('.')}."


@dataclass(frozen=True, slots=True)
class Publication:
    """One flip: what became visible, and how long the oldest change in it had waited."""

    channel_id: int
    channel: str
    revision: int
    #: The views that have a new generation, as ``<label>/<subdir>``.
    views: tuple[str, ...]
    changes: int
    waited_ms: int
    render_ms: int
    bytes_written: int
    #: Whether more is probably on its way.
    hurried: bool = False


@dataclass(slots=True)
class Published:
    """What ``Publisher`` counts for the metrics."""

    generations: int = 0
    rebuilt_after_damage: int = 0
    bytes_written: int = 0


@dataclass(slots=True)
class _Pause:
    """Until when a channel is passed over, and how long the next pause will be."""

    until: float
    problem: str
    seconds: float = field(default=_FIRST_PAUSE)


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
        self.leadership = Leadership(database, clock, holder)
        #: What there is to press when nothing is dirty.
        self.ahead = Ahead(
            engine.packs,
            engine.levels.settled,
            engine.executor,
            lambda key, damage: self._have_rebuilt(ViewDamaged(key, damage)),
        )
        self.counts = Published()
        self._on_publication = on_publication
        #: Called for each view that is derived anew because something of it is damaged.
        self.on_damage: Callable[[], None] = lambda: None
        self._stuck: dict[int, _Pause] = {}
        #: Why the last publication of a channel failed, of those that something other than the channel keeps waiting.
        self._failing: dict[int, str] = {}
        #: When the last publication of each channel ended.
        self._ended: dict[int, float] = {}
        #: Has a render that is under way give up soon; its work stays dirty.
        self.stop = StopFlag()

    def publish_all(self) -> list[Publication]:
        """Publish until nothing is dirty, or only what cannot be rendered."""
        publications = []
        while (publication := self.publish_next()) is not None:
            publications.append(publication)
        return publications

    def publish_next(self, resting: Container[int] = ()) -> Publication | None:
        """Publish the channel that has waited longest, none of ``resting``; None when nothing is dirty in the others.

        Raises:
            NotTheIndexer: another process holds the lease.
            FlipRefused: another writer was quicker; nothing was moved, and the work is still dirty.
            ChannelStuck: the channel cannot be rendered; the next call goes on with the others.
            Unavailable: disk or database; the work is still dirty, and other channels come first next time.
        """
        waiting = dict(self.database.read_now(views.dirty_channels))
        self._failing = {
            channel_id: problem for channel_id, problem in self._failing.items() if channel_id in waiting
        }
        dirty = sorted(waiting.items(), key=lambda one: one[0] in self._failing)
        self._stuck = {
            channel_id: pause for channel_id, pause in self._stuck.items() if channel_id in waiting
        }
        for channel_id, channel in dirty:
            if channel_id in resting or self._is_paused(channel_id):
                continue
            lease = self.leadership.hold()
            try:
                publication = self._publish(lease, channel_id)
            except (Stopped, NotTheIndexer, FlipRefused):
                raise
            except Exception as error:
                if isinstance(error, Unavailable) and not isinstance(error, ViewDamaged):
                    self._failing[channel_id] = str(error)
                    raise
                raise self._note_stuck(channel_id, channel, error) from error
            self._stuck.pop(channel_id, None)
            self._failing.pop(channel_id, None)
            if publication is not None:
                return publication
        return None

    @property
    def trouble(self) -> str:
        """Say why channels cannot be rendered, one cause of several once; "" when there is none."""
        problems = [*self._failing.values(), *(pause.problem for pause in self._stuck.values())]
        return " ".join(dict.fromkeys(problems))

    def _is_paused(self, channel_id: int) -> bool:
        pause = self._stuck.get(channel_id)
        return pause is not None and self.clock.monotonic() < pause.until

    def _note_stuck(self, channel_id: int, channel: str, error: Exception) -> ChannelStuck:
        last = self._stuck.get(channel_id)
        seconds = min(last.seconds * 2, _LONGEST_PAUSE) if last else _FIRST_PAUSE
        stuck = ChannelStuck(channel, f"{type(error).__name__}: {error}")
        self._stuck[channel_id] = _Pause(self.clock.monotonic() + seconds, str(stuck), seconds)
        return stuck

    def _publish(self, lease: Lease, channel_id: int) -> Publication | None:
        """Publish one channel, rendering anew what turns out to be damaged."""
        damaged: set[ViewKey] = set()
        while True:
            try:
                return self._attempt(lease, channel_id)
            except ViewDamaged as found:
                if found.key in damaged:
                    raise
                damaged.add(found.key)
                self._have_rebuilt(found)

    def _have_rebuilt(self, found: ViewDamaged) -> None:
        """Have a view derived anew. It is noted in the catalog, whatever becomes of the publication that met it."""
        self.rebuild(found.key)
        log.error("%s", found)

    def _attempt(self, lease: Lease, channel_id: int) -> Publication | None:
        started, now_ms = self.clock.monotonic(), self.clock.now_ms()
        pack = self.engine.packs.writer(PackName.new(channel_id, now_ms, lease.epoch))
        render = Render(self.engine, pack, now_ms, self._on_progress, self.ahead)
        try:
            with self.database.snapshot() as connection:
                work = views.dirty_work(connection, channel_id)
                if work is not None and self._is_one_of_many(work, started):
                    render.hurry()
                before = render_work(connection, render, work) if work is not None else {}
            rendered = render.finish()
        except BaseException:
            render.press.cancel()
            pack.discard()
            raise
        if work is None:
            return None
        try:
            self._assemble(rendered)
        except BaseException:
            with suppress(Unavailable):  # on a full disk every try would leave one; what stays is swept
                self.engine.packs.delete(pack.name)
            raise
        self._flip(lease, work, rendered, before)
        try:
            return self._publication(work, rendered, render, started)
        finally:
            self._drop_frames(rendered)
            self.ahead.forget(render.taken)
            self.ahead.want(channel_id, render.worth_pressing())

    def _is_one_of_many(self, work: DirtyWork, now: float) -> bool:
        ended = self._ended.get(work.channel_id)
        return len(work.dirty_ids) >= LARGE_BATCH or (ended is not None and now - ended < CALM_AFTER)

    def _on_progress(self) -> None:
        self.stop.check()
        self.leadership.prolong()

    def _assemble(self, rendered: Sequence[Rendered]) -> None:
        """Have the frames ready before anybody can ask for them: several at a time, since copying is the kernel's."""
        wanted = {
            document.zst_digest: (one.key, document, one.before.get(name))
            for one in rendered
            for name, document in one.documents.items()
            if isinstance(document, Paged)
        }
        new = {
            name: document
            for name, (_, document, _) in wanted.items()
            if not self.assembly.path(document).exists()
        }
        made = [
            (key, self.engine.executor.submit(self.assembly.ensure, document, _paged(previous)))
            for key, document, previous in wanted.values()
        ]
        wait([future for _, future in made])
        try:
            for key, future in made:
                with damage_of(key):
                    future.result()
        except BaseException:
            with suppress(OSError):  # or every try on a full disk would leave those for which there was room
                self.assembly.drop(new)
            raise

    def _flip(
        self,
        lease: Lease,
        work: DirtyWork,
        rendered: Sequence[Rendered],
        before: Mapping[ViewKey, Before],
    ) -> None:
        flips = [
            Flip(one.key, before[one.key].number, generation.encode(one.documents), one.new_shards)
            for one in rendered
            if one.changed or before[one.key].number == 0
        ]
        unchanged = {one.key for one in rendered} - {flip.key for flip in flips}

        def commit(connection: Connection) -> None:
            if not leases.holds(connection, lease):
                raise FlipRefused(f"{work.channel} (the lease was lost)")
            views.flip(connection, work, flips, lease.epoch, self.clock.now_ms(), unchanged=unchanged)

        try:
            self.database.write_now(commit)
        except FlipRefused:
            self.leadership.lost()
            raise

    def _drop_frames(self, rendered: Sequence[Rendered]) -> None:
        """Drop the frames that nobody needs any more. Large files take time to go: the generation is live before."""
        for one in rendered:
            if one.changed:
                self.assembly.published(one.key, one.documents, one.before)

    def adopt(self, drawn: Rendered) -> bool:
        """Publish a document that was drawn behind the publish path, within a new generation of its view.

        False when there is no such view any more.

        Raises:
            NotTheIndexer, FlipRefused, Unavailable: as ``publish_next`` does.
        """
        lease, key = self.leadership.hold(), drawn.key
        document = drawn.documents[CURRENT]
        assert isinstance(document, Paged)
        self.assembly.ensure(document, _paged(drawn.before.get(CURRENT)))

        def commit(connection: Connection) -> tuple[Documents, Documents] | None:
            if not leases.holds(connection, lease):
                raise FlipRefused(f"{key.channel} (the lease was lost)")
            last = views.current(connection, key.label_id, key.subdir)
            if last is None:
                return None
            before = generation.decode(last.documents)
            documents = {**before, CURRENT: document}
            work = DirtyWork(key.channel_id, key.channel, last.revision, (), 0, ())
            flip = Flip(key, last.number, generation.encode(documents))
            views.flip(connection, work, [flip], lease.epoch, self.clock.now_ms())
            return documents, before

        flipped = self.database.write_now(commit)
        if flipped is not None:
            self.assembly.published(key, *flipped)
        return flipped is not None

    def rebuild(self, key: ViewKey) -> None:
        """Have a view derived anew from the catalog: something that is stored of it is damaged."""
        now_ms = self.clock.now_ms()
        self.database.write_now(lambda connection: repairing.mark_view(connection, key, now_ms))
        self.counts.rebuilt_after_damage += 1
        self.on_damage()

    def _publication(
        self, work: DirtyWork, rendered: Sequence[Rendered], render: Render, started: float
    ) -> Publication:
        changed = tuple(f"{one.key.label}/{one.key.subdir}" for one in rendered if one.changed)
        ended = self._ended[work.channel_id] = self.clock.monotonic()
        publication = Publication(
            work.channel_id,
            work.channel,
            work.revision,
            changed,
            len(work.dirty_ids),
            max(0, self.clock.now_ms() - work.since_ms),
            round((ended - started) * 1000),
            render.pack.size,
            render.hurried,
        )
        self.counts.generations += len(changed)
        self.counts.bytes_written += render.pack.size
        self._on_publication(publication)
        return publication


def _paged(document: Document | None) -> Paged | None:
    return document if isinstance(document, Paged) else None
