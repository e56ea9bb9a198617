"""The labels of one file that comes into a channel, comes back or leaves it, and which views that touches.

The channel is locked by the caller. For the labels of files that stay where they are see ``relabelling``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.channels import Channel
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.marking import ChangedFile, Moment, mark
from channeld.catalog.prepared import Prepared
from channeld.catalog.selection import StoredFile


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


_INSERT = Prepared(t.file_labels.insert())


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
    _INSERT.run(connection, rows)


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
