"""What came into a label's views last."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.labels import BROKEN, Label


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file and when it came into the view."""

    name: str
    version: str
    build: str
    filename: str
    subdir: str
    size: int
    indexed_ms: int
    sha256: str
    md5: str


def newest(connection: Connection, label: Label, subdir: str, limit: int) -> list[NewFile]:
    """List what a view has got last, newest first."""
    query = (
        sa.select(
            t.files.c.name,
            t.artifacts.c.version,
            t.artifacts.c.build,
            t.files.c.filename,
            t.files.c.subdir,
            t.artifacts.c.size,
            t.file_labels.c.indexed_ms,
            t.artifacts.c.sha256,
            t.artifacts.c.md5,
        )
        .join(t.file_labels, t.file_labels.c.file_id == t.files.c.id)
        .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
        .where(
            t.file_labels.c.label_id == label.id,
            t.file_labels.c.subdir == subdir,
            t.file_labels.c.active,
            t.files.c.deleted_ms.is_(None),
        )
        .order_by(t.file_labels.c.indexed_ms.desc(), t.file_labels.c.filename.desc())  # as an index has them
        .limit(limit)
    )
    if label.name != BROKEN:
        query = query.where(~t.files.c.broken)
    return [NewFile(*row) for row in connection.execute(query)]
