"""What a folder's catalog has to be asked for its files: the rows of index.html, and where shards lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels
from channeld.catalog import tables as t
from channeld.catalog.manyrows import chunks
from channeld.cold.htmlpages import ListedFile
from channeld.indexing.pagetable import Place


def _in_view(label_id: int, subdir: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        t.file_labels.c.label_id == label_id, t.file_labels.c.subdir == subdir, t.file_labels.c.active
    )


def first_files(connection: Connection, label_id: int, subdir: str, limit: int) -> Iterator[ListedFile]:
    """Yield the files that a label shows in a subdir, by name."""
    query = (
        sa.select(
            t.file_labels.c.filename, t.artifacts.c.size, t.artifacts.c.timestamp_ms, t.artifacts.c.sha256
        )
        .join(t.files, t.files.c.id == t.file_labels.c.file_id)
        .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
        .where(_in_view(label_id, subdir))
        .order_by(t.file_labels.c.filename)
        .limit(limit)
    )
    for row in connection.execute(query):
        yield ListedFile(*row)


def count_files(connection: Connection, label_id: int, subdir: str) -> int:
    """Count the files that a label shows in a subdir."""
    query = sa.select(sa.func.count()).select_from(t.file_labels).where(_in_view(label_id, subdir))
    return int(connection.execute(query).scalar_one())


def places_of_shards(connection: Connection, channel_name: str, hashes: Sequence[bytes]) -> Iterator[Place]:
    """Yield where shards lie."""
    channel = channels.get(connection, channel_name)
    table = t.shards
    for chunk in chunks(hashes):
        query = sa.select(table.c.pack, table.c.start, table.c.size, table.c.sha256).where(
            table.c.channel_id == channel.id, table.c.sha256.in_(chunk)
        )
        for row in connection.execute(query):
            yield Place(*row)
