"""Looking through the files of a channel, a page at a time, in the order of subdir and file name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import labels
from channeld.catalog import tables as t
from channeld.catalog.channels import Channel
from channeld.catalog.rejections import BadSettingValue
from channeld.catalog.selection import StoredFile, search

_CHUNK = 500  # ids in one IN list, below every database's limit of parameters


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files to list; an empty field wants all."""

    subdir: str = ""
    filename: str = ""
    sha256: str = ""
    name: str = ""
    version: str = ""
    label: str = ""
    broken: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A file and the labels that it carries, by name."""

    file: StoredFile
    labels: tuple[str, ...]


def page(
    connection: Connection, channel: Channel, wanted: Wanted, limit: int, after: str = ""
) -> tuple[list[Listed], str]:
    """List the next files, and return with them what continues behind the last one: "" at the end.

    Of a staging channel every candidate is listed.

    Raises:
        LabelMissing: a label was named, and is not there.
        BadSettingValue: ``after`` is not what an earlier page ended with.
    """
    place = (t.files.c.subdir, t.files.c.filename, t.files.c.candidate)
    conditions = _conditions(connection, channel, wanted)
    if after:
        parts = after.split("/")
        if len(parts) != len(place):
            raise BadSettingValue("after", after, "the `next` of an earlier answer")
        conditions.append(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, parts)))
    if _are_few(wanted):
        # Sorted here: asked to do it, SQLite reads the whole channel in that order instead of looking these up.
        found = search(connection, conditions)
        found = sorted(found, key=lambda file: _place(channel, file))[: limit + 1]
    else:
        found = search(connection, conditions, place, limit + 1)
    carried = labels_of(connection, [file.id for file in found[:limit]])
    listed = [Listed(file, carried.get(file.id, ())) for file in found[:limit]]
    return listed, _cursor(channel, found[limit - 1]) if len(found) > limit else ""


def _are_few(wanted: Wanted) -> bool:
    return bool(wanted.name or wanted.filename or wanted.sha256)


def _place(channel: Channel, file: StoredFile) -> tuple[str, str, str]:
    return file.subdir, file.filename, file.sha256 if channel.settings.kind == "staging" else ""


def _cursor(channel: Channel, file: StoredFile) -> str:
    return "/".join(_place(channel, file))


def _conditions(connection: Connection, channel: Channel, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        t.files.c.channel_id == channel.id,
        t.files.c.deleted_ms.is_(None),
    ]
    for column, value in (
        (t.files.c.subdir, wanted.subdir),
        (t.files.c.filename, wanted.filename),
        (t.files.c.name, wanted.name or wanted.filename.rsplit("-", 2)[0]),
        (t.artifacts.c.version, wanted.version),
        (t.artifacts.c.sha256, wanted.sha256),
    ):
        if value:
            conditions.append(column == value)
    if wanted.broken is not None:
        conditions.append(t.files.c.broken == wanted.broken)
    if wanted.label:
        label = labels.get(connection, channel, wanted.label)
        table = t.file_labels
        mine = sa.and_(table.c.file_id == t.files.c.id, table.c.label_id == label.id, table.c.active)
        conditions.append(sa.exists().where(mine))
    return conditions


def labels_of(connection: Connection, file_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the labels that files carry, by name; a file that carries none is left out."""
    ids = list(file_ids)
    found: dict[int, list[str]] = {}
    for start in range(0, len(ids), _CHUNK):
        query = (
            sa.select(t.file_labels.c.file_id, t.labels.c.name)
            .join(t.labels, t.labels.c.id == t.file_labels.c.label_id)
            .where(t.file_labels.c.file_id.in_(ids[start : start + _CHUNK]), t.file_labels.c.active)
            .order_by(t.labels.c.name)
        )
        for row in connection.execute(query):
            found.setdefault(row.file_id, []).append(row.name)
    return {file_id: tuple(names) for file_id, names in found.items()}
