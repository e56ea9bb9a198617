"""What is in a label, many packages at a time: for renderings that go through all of it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.views import ViewKey


def files_of_names(connection: Connection, key: ViewKey) -> dict[str, int]:
    """Count the file names of each package that carry the label in a view, or did."""
    query = (
        sa.select(t.files.c.name, sa.func.count(t.file_labels.c.filename.distinct()).label("files"))
        .join(t.file_labels, t.file_labels.c.file_id == t.files.c.id)
        .where(t.file_labels.c.label_id == key.label_id, t.file_labels.c.subdir == key.subdir)
        .group_by(t.files.c.name)
    )
    return {row.name: row.files for row in connection.execute(query)}


def is_small(connection: Connection, key: ViewKey, most: int) -> bool:
    """Tell whether no more than so many files carry the label in a view, or did; quick for a large one too."""
    table = t.file_labels
    some = sa.select(sa.literal(1)).where(table.c.label_id == key.label_id, table.c.subdir == key.subdir)
    query = sa.select(sa.func.count()).select_from(some.limit(most + 1).subquery())
    return int(connection.execute(query).scalar_one()) <= most


def subdirs_of_label(connection: Connection, label_id: int) -> list[str]:
    """List the subdirs in which a file carries the label, or did; sorted."""
    table = t.file_labels
    found: list[str] = []
    while True:  # one look into the index for each: a label may have half a million files
        query = sa.select(sa.func.min(table.c.subdir)).where(
            table.c.label_id == label_id, table.c.subdir > (found[-1] if found else "")
        )
        subdir = connection.execute(query).scalar()
        if subdir is None:
            return found
        found.append(subdir)


def names_of_label(connection: Connection, label_id: int) -> list[str]:
    """List the packages of which a file carries the label, or did, in any subdir; sorted."""
    query = (
        sa.select(t.files.c.name)
        .join(t.file_labels, t.file_labels.c.file_id == t.files.c.id)
        .where(t.file_labels.c.label_id == label_id)
        .distinct()
    )
    return sorted(connection.execute(query).scalars())


class ShownFile(NamedTuple):
    """A file that a label shows, as far as is needed to choose among those of its package."""

    name: str
    artifact_id: int
    subdir: str
    filename: str
    version: str
    timestamp_ms: int
    file_id: int


_BY_FILE_ID: Final = attrgetter("file_id")


def shown_files(
    connection: Connection, key: ViewKey, names: Sequence[str], subdirs: Sequence[str] | None = None
) -> dict[str, list[ShownFile]]:
    """List the files of some packages that the label's views show, or those of some subdirs.

    Of several candidates the newest is meant.

    Packages of which nothing is shown are not in the answer.
    """
    if subdirs is not None and not subdirs:
        return {}
    query = (
        sa.select(
            t.files.c.name,
            t.files.c.artifact_id,
            t.files.c.subdir,
            t.files.c.filename,
            t.artifacts.c.version,
            t.artifacts.c.timestamp_ms,
            t.files.c.id,
        )
        .join(t.file_labels, t.file_labels.c.file_id == t.files.c.id)
        .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
        .where(
            t.files.c.channel_id == key.channel_id,
            t.files.c.name.in_(names),
            t.files.c.deleted_ms.is_(None),
            t.file_labels.c.label_id == key.label_id,
            t.file_labels.c.active,
        )
    )
    if not key.shows_broken:
        query = query.where(~t.files.c.broken)
    if subdirs is not None:
        query = query.where(t.files.c.subdir.in_(subdirs))
    rows = sorted(map(ShownFile._make, connection.execute(query).all()), key=_BY_FILE_ID)
    newest = {(file.name, file.subdir, file.filename): file for file in rows}
    found: dict[str, list[ShownFile]] = {}
    for file in newest.values():
        found.setdefault(file.name, []).append(file)
    return found
