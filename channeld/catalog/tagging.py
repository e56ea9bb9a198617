"""Labels on files, and which views a change of them touches.

Every function that changes something locks the channel, gives each changed file a revision of its own, marks the
views it touches as dirty and appends an audit row; what is already as asked stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels, labels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.marking import ChangedFile, Moment, mark
from channeld.catalog.selection import Selection, StoredFile, label_names_of, select


def add_labels(
    connection: Connection, channel_name: str, selected: Selection, label_names: Sequence[str], actor: Actor
) -> list[StoredFile]:
    """Put labels on the selected files; return those that did not carry them all.

    Raises:
        ChannelMissing, FileMissing, LabelLocked, BadName: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    files = select(connection, channel, selected)
    lacking = [name for file in files for name in _lacking(connection, file, label_names)]
    labels.ensure_open(connection, channel, lacking, actor)
    return [file for file in files if relabel(connection, channel, file, label_names, actor)]


def remove_labels(
    connection: Connection, channel_name: str, selected: Selection, label_names: Sequence[str], actor: Actor
) -> list[StoredFile]:
    """Take labels off the selected files, and return those that carried one of them.

    Raises:
        ChannelMissing, FileMissing, LabelMissing, LabelLocked: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    dropped = [labels.get(connection, channel, name) for name in dict.fromkeys(label_names)]
    losses = []
    for file in select(connection, channel, selected):
        before = label_names_of(connection, file.id)
        lost = [labels.unlocked(channel, label) for label in dropped if label.name in before]
        if lost:
            losses.append((file, before, lost))
    for file, before, lost in losses:
        revision = channels.next_revision(connection, channel)
        mine = sa.and_(
            t.file_labels.c.file_id == file.id, t.file_labels.c.label_id.in_([label.id for label in lost])
        )
        connection.execute(t.file_labels.update().where(mine).values(active=False))
        after_labels(connection, channel, file, revision, actor.now_ms, also=lost)
        after = label_names_of(connection, file.id)
        subject = f"{file.subdir}/{file.filename}"
        audit.record(connection, actor, Change("file.label", channel_name, subject, before, after, revision))
    return [file for file, _, _ in losses]


def _lacking(connection: Connection, file: StoredFile, label_names: Sequence[str]) -> list[str]:
    carried = label_names_of(connection, file.id)
    return [name for name in dict.fromkeys(label_names) if name not in carried]


def relabel(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    label_names: Sequence[str],
    actor: Actor,
    indexed_ms: int | None = None,
) -> int:
    """Add the labels that a file does not carry yet; return the new revision, or 0 when nothing changed.

    ``indexed_ms`` seeds the time of entry for imports; otherwise it is now (CEP 47).

    Raises:
        LabelLocked, BadName: as they say.
    """
    before = label_names_of(connection, file.id)
    new = [name for name in dict.fromkeys(label_names) if name not in before]
    if not new:
        return 0
    wanted = labels.ensure_open(connection, channel, new, actor)
    revision = channels.next_revision(connection, channel)
    activate(connection, file, wanted, actor.now_ms if indexed_ms is None else indexed_ms)
    after_labels(connection, channel, file, revision, actor.now_ms, also=wanted)
    subject = f"{file.subdir}/{file.filename}"
    after = sorted([*before, *new])
    audit.record(connection, actor, Change("file.label", channel.name, subject, before, after, revision))
    return revision


def activate(connection: Connection, file: StoredFile, wanted: Sequence[Label], indexed_ms: int) -> None:
    """Put labels on a file. A label that it carried before keeps its first ``indexed_ms``."""
    table = t.file_labels
    known = set(connection.execute(sa.select(table.c.label_id).where(table.c.file_id == file.id)).scalars())
    back = [label.id for label in wanted if label.id in known]
    if back:
        connection.execute(
            table.update().where(table.c.file_id == file.id, table.c.label_id.in_(back)).values(active=True)
        )
    put_first(connection, file, [label for label in wanted if label.id not in known], indexed_ms)


_INSERT = t.file_labels.insert()


def put_first(connection: Connection, file: StoredFile, wanted: Sequence[Label], indexed_ms: int) -> None:
    """Put labels on a file that it has never carried."""
    rows = [
        {
            "label_id": label.id,
            "subdir": file.subdir,
            "filename": file.filename,
            "file_id": file.id,
            "indexed_ms": indexed_ms,
            "active": True,
        }
        for label in wanted
    ]
    if rows:
        connection.execute(_INSERT, rows)


def touch(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    revision: int,
    now_ms: int,
    label_ids: Iterable[int],
) -> None:
    """Mark the views of some labels as dirty for a file."""
    views = [(label_id, file.subdir) for label_id in label_ids]
    mark(connection, Moment(channel.id, revision, now_ms), views, ChangedFile(file.filename, file.name))


def after_labels(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    revision: int,
    now_ms: int,
    also: Sequence[Label] = (),
) -> None:
    """Set what follows from a change of labels: the broken mark, and the views that are dirty now.

    ``also`` names labels whose view changes even when the file does not carry them (any more).
    """
    carried = connection.execute(
        sa.select(t.labels.c.id, t.labels.c.name)
        .join(t.file_labels, t.file_labels.c.label_id == t.labels.c.id)
        .where(t.file_labels.c.file_id == file.id, t.file_labels.c.active)
    ).all()
    broken = any(row.name == BROKEN for row in carried)
    touched = {label.id for label in also}
    if broken != file.broken or not also:
        connection.execute(t.files.update().where(t.files.c.id == file.id).values(broken=broken))
        touched |= {row.id for row in carried}
    touch(connection, channel, file, revision, now_ms, touched)
