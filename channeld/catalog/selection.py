"""Finding files: by name, by hash, by package, by label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import labels
from channeld.catalog import tables as t
from channeld.catalog.channels import Channel
from channeld.catalog.manyrows import chunks
from channeld.catalog.prepared import Prepared
from channeld.catalog.rejections import CandidateAmbiguous, FileMissing


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a channel as the catalog knows it."""

    id: int
    channel_id: int
    subdir: str
    filename: str
    name: str
    artifact_id: int
    sha256: str
    md5: str
    size: int
    version: str
    broken: bool
    uploaded_ms: int
    uploaded_by: str
    deleted_ms: int | None


_STORED = sa.select(
    t.files.c.id,
    t.files.c.channel_id,
    t.files.c.subdir,
    t.files.c.filename,
    t.files.c.name,
    t.files.c.artifact_id,
    t.artifacts.c.sha256,
    t.artifacts.c.md5,
    t.artifacts.c.size,
    t.artifacts.c.version,
    t.files.c.broken,
    t.files.c.uploaded_ms,
    t.files.c.uploaded_by,
    t.files.c.deleted_ms,
).join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)


_NAMED = Prepared(
    _STORED.where(
        t.files.c.channel_id == sa.bindparam("channel_id"),
        t.files.c.subdir == sa.bindparam("subdir"),
        t.files.c.filename == sa.bindparam("filename"),
    ).order_by(t.files.c.id)
)


def _stored(row: Any) -> StoredFile:
    return StoredFile(*row)


def candidates(
    connection: Connection, channel: Channel, subdir: str, filename: str, *, deleted: bool = False
) -> list[StoredFile]:
    """List what the channel holds under a file name, oldest first: one file, in a staging channel perhaps more."""
    named = {"channel_id": channel.id, "subdir": subdir, "filename": filename}
    return [_stored(row) for row in _NAMED.all(connection, named) if deleted or row.deleted_ms is None]


def get(connection: Connection, channel: Channel, subdir: str, filename: str, sha256: str = "") -> StoredFile:
    """Look up one file, in a staging channel by its hash where there are several.

    Raises:
        FileMissing: nothing of that name (and hash) is there.
        CandidateAmbiguous: there are several candidates, and no hash was given.
    """
    found = candidates(connection, channel, subdir, filename)
    if sha256:
        found = [file for file in found if file.sha256 == sha256]
    if not found:
        raise FileMissing(channel.name, subdir, filename)
    if len(found) > 1:
        raise CandidateAmbiguous(channel.name, subdir, filename, tuple(file.sha256 for file in found))
    return found[0]


def newest(
    connection: Connection, channel: Channel, subdir: str, filename: str, label_id: int | None = None
) -> StoredFile | None:
    """Return what a download of that name gets: the file, or one of its candidates.

    Of several it is the one that the label's view shows, so that its bytes are those that the index promises; the
    newest where the view shows none of them, or no label is given.
    """
    found = candidates(connection, channel, subdir, filename)
    if len(found) > 1 and label_id is not None:
        carrying = _carrying(connection, found, label_id)
        found.sort(key=lambda file: (file.id in carrying, not file.broken, file.id))
    return found[-1] if found else None


def _carrying(connection: Connection, found: list[StoredFile], label_id: int) -> set[int]:
    """Return the ids of those files that carry a label."""
    table = t.file_labels
    query = sa.select(table.c.file_id).where(
        table.c.label_id == label_id, table.c.file_id.in_([file.id for file in found]), table.c.active
    )
    return set(connection.execute(query).scalars())


def search(
    connection: Connection,
    conditions: Iterable[sa.ColumnElement[bool]],
    order: Iterable[sa.ColumnElement[Any]] = (),
    limit: int | None = None,
) -> list[StoredFile]:
    """List the first files, or all, that meet conditions on the columns of ``files`` and ``artifacts``."""
    query = _STORED.where(*conditions).order_by(*order).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def named(
    connection: Connection, channel: Channel, places: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[StoredFile]]:
    """List what a channel holds, or held, at places ``(subdir, file name)``, oldest first; empty ones are left out."""
    by_subdir: dict[str, list[str]] = {}
    for subdir, filename in sorted(set(places)):
        by_subdir.setdefault(subdir, []).append(filename)
    found: dict[tuple[str, str], list[StoredFile]] = {}
    for subdir, filenames in by_subdir.items():
        mine = sa.and_(t.files.c.channel_id == channel.id, t.files.c.subdir == subdir)
        for some in chunks(filenames):
            for file in search(connection, [mine, t.files.c.filename.in_(some)], [t.files.c.id]):
                found.setdefault((subdir, file.filename), []).append(file)
    return found


def by_id(connection: Connection, file_id: int) -> StoredFile:
    """Look one file up by its row id."""
    return _stored(connection.execute(_STORED.where(t.files.c.id == file_id)).one())


def label_names_of(connection: Connection, file_id: int) -> list[str]:
    """List the labels that a file carries, by name."""
    query = (
        sa.select(t.labels.c.name)
        .join(t.file_labels, t.file_labels.c.label_id == t.labels.c.id)
        .where(t.file_labels.c.file_id == file_id, t.file_labels.c.active)
        .order_by(t.labels.c.name)
    )
    return list(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files an action is about; an empty field selects all. A file, a package or a label is named."""

    subdir: str = ""
    filename: str = ""
    sha256: str = ""
    name: str = ""
    version: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not any((self.filename, self.name, self.label)):
            raise ValueError("A selection names a file, a package or a label.")


def select(connection: Connection, channel: Channel, selection: Selection) -> list[StoredFile]:
    """List the files that a selection means, by subdir and name; of a staging channel every candidate that fits.

    Raises:
        FileMissing: a file was named, and is not there.
        LabelMissing: a label was named, and is not there.
    """
    query = _STORED.where(t.files.c.deleted_ms.is_(None))
    # a file name begins with the package's, by which files are found without knowing the subdir
    name = selection.name or selection.filename.rsplit("-", 2)[0]
    for column, value in (
        (t.files.c.subdir, selection.subdir),
        (t.files.c.filename, selection.filename),
        (t.files.c.name, name),
        (t.artifacts.c.version, selection.version),
        (t.artifacts.c.sha256, selection.sha256),
    ):
        if value:
            query = query.where(column == value)
    query = _within(connection, query, channel, selection.label, of_few=bool(name))
    # Sorted here: asked to do it, SQLite reads the whole channel in that order instead of looking a name up.
    found = sorted(
        map(_stored, connection.execute(query)), key=lambda file: (file.subdir, file.filename, file.id)
    )
    if selection.filename and not found:
        raise FileMissing(channel.name, selection.subdir, selection.filename)
    return found


def _within(
    connection: Connection, query: sa.Select[Any], channel: Channel, label_name: str, *, of_few: bool
) -> sa.Select[Any]:
    """Restrict a query to a channel, or to what carries one of its labels.

    Few files are asked each whether they carry it; of many the label leads to its files, and they are not looked for in
    the channel as well: a PostgreSQL that has not counted its rows yet would do that for each.
    """
    channels_own = t.files.c.channel_id == channel.id
    if not label_name:
        return query.where(channels_own)
    label, table = labels.get(connection, channel, label_name), t.file_labels
    mine = sa.and_(table.c.file_id == t.files.c.id, table.c.label_id == label.id, table.c.active)
    return query.where(channels_own, sa.exists().where(mine)) if of_few else query.join(table, mine)
