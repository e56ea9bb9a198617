"""Many files into a channel, or out of it, in one transaction: what an import and a cold index do.

The rows are the same as if each file had come through ``files.add`` or ``files.delete``. Of the change as a whole there
is one: one revision, one audit row. What is seldom (a file that comes back, or that gets one more label) goes through
``files.add`` itself.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels, files, labels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.files import Artifact
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.manyrows import chunks, insert_many, reserve_ids
from channeld.catalog.marking import WHOLE, ChangedFile, Moment
from channeld.errors import Rejected


class Marking(enum.Enum):
    """How the indexer is told of a change: file by file, or to make each touched view anew."""

    EACH = "each"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file on its way in, and when it came into a view first, in ms (CEP 47); None is now."""

    artifact: Artifact
    indexed_ms: int | None = None


#: What became of an arrival: as ``files.Added.outcome`` has it, or why it was not taken.
Landing = Literal["created", "unchanged", "relabelled", "restored"] | Rejected

_ARTIFACT: Final = tuple(field for field in Artifact.__slots__ if field != "facts")
_FILE: Final = (
    "id", "channel_id", "subdir", "filename", "candidate", "artifact_id", "name", "broken", "uploaded_ms",
    "uploaded_by",
)  # fmt: skip
_FILE_LABEL: Final = ("label_id", "subdir", "filename", "file_id", "indexed_ms", "active")
_DIRTY: Final = ("channel_id", "label_id", "subdir", "filename", "name", "revision", "since_ms")
_values_of: Final = attrgetter(*_ARTIFACT)


def add_many(
    connection: Connection,
    channel_name: str,
    arrivals: Sequence[Arrival],
    label_names: Sequence[str],
    actor: Actor,
    marking: Marking,
) -> list[Landing]:
    """Put artifacts into a channel under labels, as ``files.add`` does; return what became of each, in their order.

    Raises:
        ChannelMissing, LabelLocked, BadName: as they say; nothing was added.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    names = tuple(dict.fromkeys(label_names)) or (MAIN,)
    landings: list[Landing | None] = [None] * len(arrivals)
    new: list[int] = []
    later: list[int] = []
    held = _Held(connection, channel, names, [arrival.artifact for arrival in arrivals])
    for number, arrival in enumerate(arrivals):
        if held.is_new(arrival.artifact):
            new.append(number)
            landings[number] = "created"
        elif held.is_unchanged(arrival.artifact):
            landings[number] = "unchanged"
        else:
            later.append(number)
    if new:
        _add_new(connection, channel, [arrivals[number] for number in new], names, actor, marking)
    for number in later:
        landings[number] = _add_one(connection, channel_name, arrivals[number], names, actor)
    return [landing for landing in landings if landing is not None]


def _add_one(
    connection: Connection, channel_name: str, arrival: Arrival, names: Sequence[str], actor: Actor
) -> Landing:
    try:
        added = files.add(
            connection, channel_name, arrival.artifact, names, actor, indexed_ms=arrival.indexed_ms
        )
    except Rejected as error:
        return error
    return added.outcome


class _Held:
    """What the channel holds under the names of some arrivals, and what it will hold after those looked at."""

    def __init__(
        self,
        connection: Connection,
        channel: Channel,
        label_names: Sequence[str],
        arriving: Sequence[Artifact],
    ) -> None:
        self._staging = channel.settings.kind == "staging"
        self._taken: set[tuple[str, str, str]] = set()
        live: dict[int, tuple[str, str, str]] = {}
        by_subdir: dict[str, set[str]] = {}
        for artifact in arriving:
            by_subdir.setdefault(artifact.subdir, set()).add(artifact.filename)
        for subdir, filenames in by_subdir.items():
            for row in _rows_named(connection, channel, subdir, sorted(filenames)):
                self._taken.add((subdir, row.filename, row.sha256 if self._staging else ""))
                if row.deleted_ms is None:
                    live[row.id] = (subdir, row.filename, row.sha256)
        carried = _labels_carried(connection, sorted(live))
        self._unchanged = {name for file_id, name in live.items() if carried[file_id].issuperset(label_names)}

    def is_new(self, artifact: Artifact) -> bool:
        """Tell whether nothing holds the artifact's place yet; from now on it does."""
        place = (artifact.subdir, artifact.filename, artifact.sha256 if self._staging else "")
        if place in self._taken:
            return False
        self._taken.add(place)
        return True

    def is_unchanged(self, artifact: Artifact) -> bool:
        """Tell whether these bytes are there, under all the labels."""
        if self._staging:  # a candidate lives longer by it
            return False
        return (artifact.subdir, artifact.filename, artifact.sha256) in self._unchanged


def _rows_named(
    connection: Connection, channel: Channel, subdir: str, filenames: Sequence[str]
) -> Iterator[Any]:
    for chunk in chunks(filenames):
        query = (
            sa.select(t.files.c.id, t.files.c.filename, t.files.c.deleted_ms, t.artifacts.c.sha256)
            .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
            .where(
                t.files.c.channel_id == channel.id, t.files.c.subdir == subdir, t.files.c.filename.in_(chunk)
            )
        )
        yield from connection.execute(query)


def _labels_carried(connection: Connection, file_ids: Sequence[int]) -> dict[int, set[str]]:
    carried: dict[int, set[str]] = {file_id: set() for file_id in file_ids}
    for chunk in chunks(file_ids):
        query = (
            sa.select(t.file_labels.c.file_id, t.labels.c.name)
            .join(t.labels, t.labels.c.id == t.file_labels.c.label_id)
            .where(t.file_labels.c.file_id.in_(chunk), t.file_labels.c.active)
        )
        for row in connection.execute(query):
            carried[row.file_id].add(row.name)
    return carried


def _add_new(
    connection: Connection,
    channel: Channel,
    arrivals: Sequence[Arrival],
    label_names: Sequence[str],
    actor: Actor,
    marking: Marking,
) -> None:
    """Add files whose names are free."""
    wanted = labels.ensure_open(connection, channel, label_names, actor)
    revision = channels.next_revision(connection, channel)
    artifacts = [arrival.artifact for arrival in arrivals]
    artifact_ids = _store_artifacts(connection, artifacts, actor.now_ms)
    staging = channel.settings.kind == "staging"
    broken = BROKEN in label_names
    file_ids = reserve_ids(connection, t.files, len(arrivals))
    insert_many(connection, t.files, _FILE, [
        (file_id, channel.id, a.subdir, a.filename, a.sha256 if staging else "", artifact_ids[a.sha256], a.name,
         broken, actor.now_ms, actor.id)
        for file_id, a in zip(file_ids, artifacts, strict=True)
    ])  # fmt: skip
    insert_many(connection, t.file_labels, _FILE_LABEL, [
        (label.id, a.artifact.subdir, a.artifact.filename, file_id,
         actor.now_ms if a.indexed_ms is None else a.indexed_ms, True)
        for file_id, a in zip(file_ids, arrivals, strict=True)
        for label in wanted
    ])  # fmt: skip
    changed = [(label.id, a.subdir, ChangedFile(a.filename, a.name)) for a in artifacts for label in wanted]
    _mark(connection, Moment(channel.id, revision, actor.now_ms), changed, marking)
    after = {
        "bytes": sum(artifact.size for artifact in artifacts),
        "files": dict(sorted(Counter(artifact.subdir for artifact in artifacts).items())),
        "labels": sorted(label_names),
    }
    audit.record(connection, actor, Change("files.add", channel.name, "", None, after, revision))


def _store_artifacts(connection: Connection, artifacts: Sequence[Artifact], now_ms: int) -> dict[str, int]:
    """Make sure that artifacts have their rows, as ``files.store_artifact`` does; return their ids by sha256."""
    known = _known_artifacts(connection, [artifact.sha256 for artifact in artifacts], now_ms)
    fresh = {a.sha256: a for a in artifacts if a.sha256 not in known}
    # in one order, so that two transactions that store the same artifacts do not wait for each other
    new = [fresh[sha256] for sha256 in sorted(fresh)]
    ids = reserve_ids(connection, t.artifacts, len(new))
    rows = [(new_id, *_values_of(a), now_ms) for new_id, a in zip(ids, new, strict=True)]
    # another transaction may store the same bytes just now: then its row counts
    insert_many(
        connection, t.artifacts, ("id", *_ARTIFACT, "stored_ms"), rows, "ON CONFLICT (sha256) DO NOTHING"
    )
    ours = {a.sha256: new_id for new_id, a in zip(ids, new, strict=True)}
    if connection.dialect.name != "sqlite":
        ours = _known_artifacts(connection, list(ours), now_ms)
    drawn = set(ids)
    facts = [(ours[a.sha256], a.facts) for a in new if ours[a.sha256] in drawn]
    insert_many(connection, t.channel_facts, ("artifact_id", "facts"), facts)
    return known | ours


def _known_artifacts(connection: Connection, hashes: Sequence[str], now_ms: int) -> dict[str, int]:
    """Return the ids of stored artifacts by sha256; none of them can be swept before the transaction ends."""
    known = {}
    table = t.artifacts
    for chunk in chunks(sorted(set(hashes))):
        query = sa.select(table.c.id, table.c.sha256, table.c.swept_ms).where(table.c.sha256.in_(chunk))
        rows = connection.execute(query.order_by(table.c.id).with_for_update(read=True, key_share=True)).all()
        known.update({row.sha256: row.id for row in rows})
        swept = [row.id for row in rows if row.swept_ms is not None]
        if swept:
            back = table.update().where(table.c.id.in_(swept))
            connection.execute(back.values(swept_ms=None, stored_ms=now_ms))
    return known


def _mark(
    connection: Connection, moment: Moment, changed: Iterable[tuple[int, str, ChangedFile]], marking: Marking
) -> None:
    """Mark views as dirty, given (label id, subdir, file) of every change."""
    if marking is Marking.WHOLE:
        changed = [(label_id, subdir, WHOLE) for label_id, subdir in sorted({one[:2] for one in changed})]
    insert_many(connection, t.dirty, _DIRTY, [
        (moment.channel_id, label_id, subdir, file.filename, file.name, moment.revision, moment.now_ms)
        for label_id, subdir, file in changed
    ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file that is in a channel: what tells it from the others of its name."""

    id: int
    subdir: str
    filename: str
    sha256: str


def live_files(
    connection: Connection, channel: Channel, subdir: str, filenames: Sequence[str]
) -> list[LiveFile]:
    """List the files of some names, of a staging channel all candidates, oldest first."""
    rows = _rows_named(connection, channel, subdir, sorted(set(filenames)))
    found = [LiveFile(row.id, subdir, row.filename, row.sha256) for row in rows if row.deleted_ms is None]
    return sorted(found, key=attrgetter("id"))


def delete_many(
    connection: Connection, channel_name: str, gone: Sequence[LiveFile], actor: Actor, marking: Marking
) -> int:
    """Delete files from a channel, as ``files.delete`` does; return the revision, 0 when there was nothing to do.

    Of a staging channel each is hidden by a change of its own, and the revision is the last one.

    Raises:
        ChannelMissing, LabelLocked: as they say; nothing was deleted.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    if not gone:
        return 0
    if channel.settings.kind == "staging":
        for file in gone:
            files.delete(connection, channel_name, file.subdir, file.filename, actor, sha256=file.sha256)
        return channels.get(connection, channel_name).revision
    carried = _labels_carried(connection, [file.id for file in gone])
    by_name: dict[str, Label] = {
        name: labels.unlocked(channel, labels.get(connection, channel, name))
        for name in sorted(set().union(*carried.values()))
    }
    revision = channels.next_revision(connection, channel)
    names: dict[int, str] = {}
    for chunk in chunks([file.id for file in gone]):
        mine = t.files.update().where(t.files.c.id.in_(chunk)).values(deleted_ms=actor.now_ms)
        rows = connection.execute(mine.returning(t.files.c.id, t.files.c.name))
        names.update({row.id: row.name for row in rows})
        off = t.file_labels.update().where(t.file_labels.c.file_id.in_(chunk))
        connection.execute(off.values(active=False))
    changed = [
        (by_name[label].id, file.subdir, ChangedFile(file.filename, names[file.id]))
        for file in gone
        for label in sorted(carried[file.id])
    ]
    _mark(connection, Moment(channel.id, revision, actor.now_ms), changed, marking)
    before = {"files": dict(sorted(Counter(file.subdir for file in gone).items())), "labels": list(by_name)}
    audit.record(connection, actor, Change("files.delete", channel.name, "", before, None, revision))
    return revision
