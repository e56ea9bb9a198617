"""Where a file is: under which labels, since when, and whether the world can see it there yet."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import labels, viewrows, views
from channeld.catalog import tables as t
from channeld.catalog.channels import Channel
from channeld.catalog.labels import Label
from channeld.catalog.selection import StoredFile, label_names_of
from channeld.catalog.views import ViewKey


@dataclass(frozen=True, slots=True)
class Place:
    """One label that a file carries."""

    label: str
    #: When it first came into that label's view (CEP 47), ms.
    indexed_ms: int
    #: Whether the published index of the view lists it.
    live: bool
    #: Whether a change of it in that view still waits to be published.
    pending: bool
    #: What the view shows now; both 0 before its first generation.
    revision: int
    generation: int


def places_of(connection: Connection, channel: Channel, file: StoredFile) -> list[Place]:
    """List the labels that a file carries, by name.

    A file that is broken, or that another candidate of its name stands before, is not live, however long one waits.
    """
    return [
        _place(connection, channel, labels.get(connection, channel, name), file)
        for name in label_names_of(connection, file.id)
    ]


def _place(connection: Connection, channel: Channel, label: Label, file: StoredFile) -> Place:
    key = ViewKey(channel.id, label.id, file.subdir, channel.name, label.name)
    (row,) = viewrows.view_rows(connection, key, frozenset({file.filename}))
    current = views.current(connection, label.id, file.subdir)
    pending = _is_pending(connection, label, file)
    shown = row.shown and row.artifact_id == file.artifact_id
    return Place(
        label=label.name,
        indexed_ms=_entered(connection, label, file),
        live=shown and not pending and current is not None,
        pending=pending,
        revision=current.revision if current else 0,
        generation=current.number if current else 0,
    )


def _entered(connection: Connection, label: Label, file: StoredFile) -> int:
    table = t.file_labels
    mine = sa.and_(
        table.c.label_id == label.id,
        table.c.subdir == file.subdir,
        table.c.filename == file.filename,
        table.c.file_id == file.id,
    )
    return int(connection.execute(sa.select(table.c.indexed_ms).where(mine)).scalar_one())


def _is_pending(connection: Connection, label: Label, file: StoredFile) -> bool:
    waiting = sa.select(t.dirty.c.id).where(
        t.dirty.c.label_id == label.id,
        t.dirty.c.subdir == file.subdir,
        t.dirty.c.filename.in_([file.filename, ""]),
    )
    return connection.execute(waiting.limit(1)).first() is not None
