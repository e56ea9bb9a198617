"""Views and their generations: what is dirty, what a view shows, and the flip that publishes.

``(channel, label, subdir)`` is a view; subdir "" is the view of the label's channel-level documents. A render reads
one snapshot: ``dirty_work`` and ``viewrows`` on the same connection. ``flip`` then moves the pointers of all views of
the work in one transaction and deletes exactly the dirty rows that the snapshot had: what came in meanwhile stays.
Both take rows in one order (lease, channel, labels, views), so that no two transactions wait for each other.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import leases, shards
from channeld.catalog import tables as t
from channeld.catalog.labels import BROKEN
from channeld.catalog.prepared import Prepared
from channeld.catalog.shards import NewShard
from channeld.errors import Unavailable

_CHUNK = 500  # names in one IN list, below every database's limit of parameters
_ROWS_AT_ONCE = 2000  # dirty rows that are fetched together

#: Changed files of a view from which it is derived anew: that streams, and single changes are all held in memory.
MOST_CHANGED = 20_000


@dataclass(frozen=True, slots=True)
class ViewKey:
    """Names one view, with the row ids that its queries use."""

    channel_id: int
    label_id: int
    subdir: str
    channel: str
    label: str
    #: Whether names that left the view are listed under ``removed`` (standard channels, not staging ones).
    lists_removed: bool = True

    @property
    def shows_broken(self) -> bool:
        return self.label == BROKEN


@dataclass(frozen=True, slots=True)
class ViewWork:
    """What has changed in one view since its generation."""

    key: ViewKey
    #: Changed files, or None when the whole view is to be derived again, or too many changed.
    filenames: frozenset[str] | None
    #: Package names of those files.
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class DirtyWork:
    """Everything dirty in one channel, as one snapshot saw it."""

    channel_id: int
    channel: str
    revision: int
    dirty_ids: tuple[int, ...]
    since_ms: int
    views: tuple[ViewWork, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """A published rendering of a view."""

    view_id: int
    number: int
    revision: int
    published_ms: int
    documents: bytes


@dataclass(frozen=True, slots=True)
class Flip:
    """Move one view's pointer: from the generation it was rendered on, to the next."""

    key: ViewKey
    old_generation: int
    documents: bytes
    #: Shards that the new generation lists and its predecessor did not.
    new_shards: Sequence[NewShard] = field(default=())


@dataclass(eq=False)
class FlipRefused(Unavailable):
    """Another writer moved the view, or took the lease, since the render began."""

    view: str

    advice: ClassVar[str] = "What was rendered is thrown away; the change is rendered again."

    def sentence(self) -> str:
        return f"The view {self.view} was published by another writer meanwhile."


def dirty_channels(connection: Connection) -> list[tuple[int, str]]:
    """List the channels that have dirty views, longest waiting first, as (id, name)."""
    query = (
        sa.select(t.channels.c.id, t.channels.c.name)
        .join(t.dirty, t.dirty.c.channel_id == t.channels.c.id)
        .group_by(t.channels.c.id, t.channels.c.name)
        .order_by(sa.func.min(t.dirty.c.id))
    )
    return [(row.id, row.name) for row in connection.execute(query)]


def dirty_work(connection: Connection, channel_id: int) -> DirtyWork | None:
    """Collect everything dirty in a channel; None when nothing is."""
    channel = connection.execute(sa.select(t.channels).where(t.channels.c.id == channel_id)).first()
    if channel is None:
        return None
    ids: list[int] = []
    oldest_ms = sys.maxsize
    gathered: dict[tuple[str, str, int], tuple[set[str], set[str]]] = {}
    # streamed: an import may have left half a million rows
    for dirty_id, label_id, subdir, filename, name, since_ms, label in connection.execute(
        _DIRTY.where(t.dirty.c.channel_id == channel_id).execution_options(yield_per=_ROWS_AT_ONCE)
    ):
        ids.append(dirty_id)
        oldest_ms = min(oldest_ms, since_ms)
        filenames, names = gathered.setdefault((label, subdir, label_id), (set(), set()))
        filenames.add(filename if len(filenames) < MOST_CHANGED else "")
        names.add(name)
    if not ids:
        return None
    lists_removed = channel.kind == "standard"
    views = tuple(
        ViewWork(
            ViewKey(channel_id, label_id, subdir, channel.name, label, lists_removed),
            None if "" in filenames else frozenset(filenames),
            frozenset(names - {""}),
        )
        for (label, subdir, label_id), (filenames, names) in sorted(gathered.items(), key=lambda i: i[0])
    )
    return DirtyWork(channel_id, channel.name, channel.revision, tuple(ids), oldest_ms, views)


_DIRTY = sa.select(
    t.dirty.c.id,
    t.dirty.c.label_id,
    t.dirty.c.subdir,
    t.dirty.c.filename,
    t.dirty.c.name,
    t.dirty.c.since_ms,
    t.labels.c.name,
).join(t.labels, t.labels.c.id == t.dirty.c.label_id)

_CURRENT = Prepared(
    sa.select(t.generations)
    .join(
        t.views,
        sa.and_(t.views.c.id == t.generations.c.view_id, t.views.c.generation == t.generations.c.number),
    )
    .where(t.views.c.label_id == sa.bindparam("label_id"), t.views.c.subdir == sa.bindparam("subdir"))
)


def current(connection: Connection, label_id: int, subdir: str) -> Generation | None:
    """Return the generation that a view's pointer names; None before its first one."""
    row = _CURRENT.first(connection, {"label_id": label_id, "subdir": subdir})
    if row is None:
        return None
    return Generation(row.view_id, row.number, row.revision, row.published_ms, row.documents)


@dataclass(frozen=True, slots=True)
class Published:
    """A view of a label, and since when it shows which revision."""

    subdir: str
    number: int
    revision: int
    published_ms: int
    documents: bytes


def published(connection: Connection, label_id: int) -> list[Published]:
    """List the published views of a label by subdir, the channel-level one ("") first."""
    query = (
        sa.select(t.views.c.subdir, t.generations)
        .join(
            t.generations,
            sa.and_(t.views.c.id == t.generations.c.view_id, t.views.c.generation == t.generations.c.number),
        )
        .where(t.views.c.label_id == label_id)
        .order_by(t.views.c.subdir)
    )
    return [
        Published(row.subdir, row.number, row.revision, row.published_ms, row.documents)
        for row in connection.execute(query)
    ]


def flip(
    connection: Connection,
    work: DirtyWork,
    flips: Sequence[Flip],
    epoch: int,
    now_ms: int,
    *,
    unchanged: Collection[ViewKey] = (),
) -> dict[ViewKey, int]:
    """Publish: move every pointer, or raise and move none. Returns the new generation numbers.

    ``unchanged`` names views of the work whose documents came out as they were; they need no new generation.

    Raises:
        FlipRefused: the lease has another epoch, or a view is not at the generation that it was rendered on.
        ValueError: a view of the work is neither flipped nor unchanged; it would never be rendered again.
    """
    missing = {one.key for one in work.views} - {one.key for one in flips} - set(unchanged)
    if missing:
        raise ValueError(f"Dirty views are not published: {sorted(map(_name, missing))}")
    ordered = sorted(flips, key=lambda one: (one.key.label_id, one.key.subdir))
    if not leases.hold_epoch(connection, leases.INDEXER, epoch):
        raise FlipRefused(work.channel)
    _keep_places(connection, ordered)
    numbers = {}
    for one in ordered:
        numbers[one.key] = _flip_view(connection, work, one, epoch, now_ms)
        if one.new_shards:
            shards.keep(connection, one.key.channel_id, one.new_shards)
    for start in range(0, len(work.dirty_ids), _CHUNK):
        chunk = work.dirty_ids[start : start + _CHUNK]
        connection.execute(t.dirty.delete().where(t.dirty.c.id.in_(chunk)))
    return numbers


def _name(key: ViewKey) -> str:
    return f"{key.channel}/{key.label}/{key.subdir}"


def _keep_places(connection: Connection, flips: Sequence[Flip]) -> None:
    """Keep the channels and labels of the views from being deleted; refuse when one is gone already.

    Without this, a deletion could wait for a view that the flip holds, and the flip for the deletion.
    """
    for table, ids in (
        (t.channels, {one.key.channel_id: one.key for one in flips}),
        (t.labels, {one.key.label_id: one.key for one in flips}),
    ):
        for row_id, key in sorted(ids.items()):
            there = sa.select(table.c.id).where(table.c.id == row_id)
            if connection.execute(there.with_for_update(read=True, key_share=True)).first() is None:
                raise FlipRefused(_name(key))


def _flip_view(connection: Connection, work: DirtyWork, one: Flip, epoch: int, now_ms: int) -> int:
    number = one.old_generation + 1
    if one.old_generation == 0:
        view_id = _first_pointer(connection, one, epoch)
    else:
        view_id = _move_pointer(connection, one, epoch)
        connection.execute(
            t.generations.update()
            .where(t.generations.c.view_id == view_id, t.generations.c.number == one.old_generation)
            .values(retired_ms=now_ms)
        )
    connection.execute(
        t.generations.insert().values(
            view_id=view_id,
            number=number,
            revision=work.revision,
            published_ms=now_ms,
            documents=one.documents,
        )
    )
    return number


def _first_pointer(connection: Connection, one: Flip, epoch: int) -> int:
    values = {
        "channel_id": one.key.channel_id,
        "label_id": one.key.label_id,
        "subdir": one.key.subdir,
        "generation": 1,
        "epoch": epoch,
    }
    try:
        with connection.begin_nested():
            result = connection.execute(t.views.insert().values(**values).returning(t.views.c.id))
            return int(result.scalar_one())
    except sa.exc.IntegrityError:  # somebody else published the first one
        raise FlipRefused(_name(one.key)) from None


def _move_pointer(connection: Connection, one: Flip, epoch: int) -> int:
    moved = (
        t.views.update()
        .where(
            t.views.c.label_id == one.key.label_id,
            t.views.c.subdir == one.key.subdir,
            t.views.c.generation == one.old_generation,
            t.views.c.epoch <= epoch,
        )
        .values(generation=one.old_generation + 1, epoch=epoch)
        .returning(t.views.c.id)
    )
    view_id = connection.execute(moved).scalar()
    if view_id is None:
        raise FlipRefused(_name(one.key))
    return int(view_id)
