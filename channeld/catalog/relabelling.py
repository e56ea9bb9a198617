"""Labels of many files at once: planned, shown or carried out, always in one transaction and with one revision.

Adding, removing, copying and moving are one thing: of a selection of files, each gets what it lacks of the labels to
add, and loses what it carries of the labels to remove. Files that are as asked already stay as they are, so that
asking twice changes nothing. The number of statements does not grow with the number of files.

In a staging channel a selection means every candidate that fits it, hidden ones apart, and one that names a sha256 that
one alone. So a label that was moved is empty, and a name that was marked as broken is hidden, whichever candidate is
the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, candidates, channels, labels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.listing import labels_of
from channeld.catalog.marking import ChangedFile, Moment, mark_each
from channeld.catalog.rejections import FileMissing, LabelBothWays, PackageMissing
from channeld.catalog.selection import Selection, StoredFile, select

T = TypeVar("T")

_CHUNK = 500  # ids in one IN list, below every database's limit of parameters


@dataclass(frozen=True, slots=True)
class Relabelling:
    """What is asked for: of all files that fit one of the selections."""

    selections: tuple[Selection, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relabelled:
    """One file whose labels change, and its labels by name before and after."""

    file: StoredFile
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(name for name in self.after if name not in self.before)

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(name for name in self.before if name not in self.after)

    @property
    def touched(self) -> set[str]:
        """The labels whose views change: those of the change, and all of a file that is broken or mended."""
        changed = {*self.added, *self.removed}
        return {*changed, *self.after} if BROKEN in changed else changed


#: Looks at what is about to change, and raises to refuse it.
Approval = Callable[[Sequence[Relabelled]], None]


def plan(connection: Connection, channel: Channel, asked: Relabelling) -> list[Relabelled]:
    """Work out which files would change and how, changing nothing.

    Raises:
        FileMissing, PackageMissing: a file or a package was named, and the channel does not have it.
        LabelMissing: files were selected by a label, or are to lose one, that is not there.
        LabelLocked, BadName: one of the labels takes no change, or cannot be created.
        LabelBothWays: the same label is to be added and removed.
    """
    both = tuple(name for name in dict.fromkeys(asked.add) if name in asked.remove)
    if both:
        raise LabelBothWays(both)
    for name in asked.remove:
        if name != BROKEN:  # that one exists from its first use on; until then nothing carries it
            labels.get(connection, channel, name)
    files = {file.id: file for each in asked.selections for file in _selected(connection, channel, each)}
    ordered = sorted(files.values(), key=lambda file: (file.subdir, file.filename, file.id))
    changes = list(_changes(connection, asked, ordered))
    labels.check_open(connection, channel, sorted({name for one in changes for name in one.added}))
    labels.check_open(connection, channel, sorted({name for one in changes for name in one.removed}))
    return changes


def _selected(connection: Connection, channel: Channel, selection: Selection) -> list[StoredFile]:
    """List what is selected. What is there and does not carry the label (any more) is no mistake: it was moved."""
    if selection.label:
        labels.get(connection, channel, selection.label)
    try:
        found = select(connection, channel, selection)
    except FileMissing:
        if not selection.label:
            raise
        found = []
    named = selection.filename or selection.name
    if not found and named and not (selection.label and _selected(connection, channel, _bare(selection))):
        raise PackageMissing(channel.name, selection.name, selection.version)
    return found


def _bare(selection: Selection) -> Selection:
    return replace(selection, label="")


def _changes(connection: Connection, asked: Relabelling, files: list[StoredFile]) -> Iterator[Relabelled]:
    carried = labels_of(connection, [file.id for file in files])
    for file in files:
        before = carried.get(file.id, ())
        after = tuple(sorted({*before, *asked.add} - {*asked.remove}))
        if after != before:
            yield Relabelled(file, before, after)


def apply(
    connection: Connection, channel_name: str, asked: Relabelling, actor: Actor, approve: Approval
) -> tuple[list[Relabelled], int]:
    """Do what ``plan`` says, if ``approve`` does not refuse it; return it with the revision, 0 for no change.

    Raises:
        ChannelMissing: there is no such channel.
        Rejected: what ``plan`` and ``approve`` raise.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    changes = plan(connection, channel, asked)
    approve(changes)
    if not changes:
        return [], 0
    if candidates.is_staging(channel):
        for ids in _chunks([one.file.id for one in changes]):
            candidates.forget_sets(connection, ids)
    return changes, _carry_out(connection, channel, changes, actor, actor.now_ms)


def carry_out(connection: Connection, channel: Channel, changes: Sequence[Relabelled], actor: Actor) -> int:
    """Make changes of a locked channel that its caller worked out; return the revision, 0 for no change.

    Raises:
        LabelLocked, BadName: as they say.
    """
    return _carry_out(connection, channel, list(changes), actor, actor.now_ms) if changes else 0


def put_on(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    label_names: Sequence[str],
    actor: Actor,
    entered_ms: int,
) -> int:
    """Add the labels that a file of a locked channel does not carry yet; return the revision, 0 for no change.

    ``entered_ms`` is when the file comes into the views of new labels (CEP 47).

    Raises:
        LabelLocked, BadName: as they say.
    """
    before = labels_of(connection, [file.id]).get(file.id, ())
    after = tuple(sorted({*before, *label_names}))
    if after == before:
        return 0
    return _carry_out(connection, channel, [Relabelled(file, before, after)], actor, entered_ms)


def _carry_out(
    connection: Connection, channel: Channel, changes: list[Relabelled], actor: Actor, entered_ms: int
) -> int:
    """Make the changes, which are some; returns their revision."""
    added = sorted({name for one in changes for name in one.added})
    known = {label.name: label for label in labels.ensure_open(connection, channel, added, actor)}
    for name in sorted({name for one in changes for name in one.touched} - known.keys()):
        known[name] = labels.get(connection, channel, name)
    revision = channels.next_revision(connection, channel)
    for name in added:
        _put_on(connection, known[name], [one.file for one in changes if name in one.added], entered_ms)
    for name in sorted({name for one in changes for name in one.removed}):
        _take_off(connection, known[name], [one.file.id for one in changes if name in one.removed])
    moment = Moment(channel.id, revision, actor.now_ms)
    mark_each(connection, moment, _marks(changes, known))
    audit.record_each(connection, actor, (_written_down(channel, one, revision) for one in changes))
    return revision


def _put_on(connection: Connection, label: Label, files: list[StoredFile], entered_ms: int) -> None:
    """Put a label on files. One that carried it before keeps its first time of entry (CEP 47)."""
    table = t.file_labels
    known: set[int] = set()
    for ids in _chunks([file.id for file in files]):
        mine = sa.and_(table.c.label_id == label.id, table.c.file_id.in_(ids))
        known.update(connection.execute(sa.select(table.c.file_id).where(mine)).scalars())
        connection.execute(table.update().where(mine).values(active=True))
        _set_broken(connection, label, ids, broken=True)
    new = [
        {
            "label_id": label.id,
            "subdir": file.subdir,
            "filename": file.filename,
            "file_id": file.id,
            "indexed_ms": entered_ms,
            "active": True,
        }
        for file in files
        if file.id not in known
    ]
    if new:
        connection.execute(table.insert(), new)


def _take_off(connection: Connection, label: Label, file_ids: list[int]) -> None:
    table = t.file_labels
    for ids in _chunks(file_ids):
        mine = sa.and_(table.c.label_id == label.id, table.c.file_id.in_(ids))
        connection.execute(table.update().where(mine).values(active=False))
        _set_broken(connection, label, ids, broken=False)


def _set_broken(connection: Connection, label: Label, file_ids: Sequence[int], *, broken: bool) -> None:
    if label.name == BROKEN:
        files = t.files.update().where(t.files.c.id.in_(file_ids))
        connection.execute(files.values(broken=broken))


def _marks(changes: Sequence[Relabelled], known: dict[str, Label]) -> Iterator[tuple[int, str, ChangedFile]]:
    """Name the views that change with each file."""
    for one in changes:
        changed = ChangedFile(one.file.filename, one.file.name)
        for name in sorted(one.touched):
            yield known[name].id, one.file.subdir, changed


def _written_down(channel: Channel, one: Relabelled, revision: int) -> Change:
    subject = f"{one.file.subdir}/{one.file.filename}"
    return Change("file.label", channel.name, subject, list(one.before), list(one.after), revision)


def _chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
