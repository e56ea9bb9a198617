"""Marking views as dirty: what the indexer has to render next, written by the transaction that changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.prepared import Prepared


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The file whose entry in a view changed; both empty when the whole view is to be derived again."""

    filename: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Of which change, by its revision, and since when a view is dirty."""

    channel_id: int
    revision: int
    now_ms: int


WHOLE = ChangedFile()

_INSERT = Prepared(
    t.dirty.insert(), ("channel_id", "label_id", "subdir", "filename", "name", "revision", "since_ms")
)


def mark(
    connection: Connection, moment: Moment, views: Iterable[tuple[int, str]], changed: ChangedFile = WHOLE
) -> None:
    """Mark views, given as (label id, subdir), as dirty."""
    mark_each(connection, moment, ((label_id, subdir, changed) for label_id, subdir in sorted(views)))


def mark_each(connection: Connection, moment: Moment, marks: Iterable[tuple[int, str, ChangedFile]]) -> None:
    """Mark views, given as (label id, subdir), as dirty for a file of their own each."""
    rows = [
        {
            "channel_id": moment.channel_id,
            "label_id": label_id,
            "subdir": subdir,
            "filename": changed.filename,
            "name": changed.name,
            "revision": moment.revision,
            "since_ms": moment.now_ms,
        }
        for label_id, subdir, changed in marks
    ]
    _INSERT.run(connection, rows)
