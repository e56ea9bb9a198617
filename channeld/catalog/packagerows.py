"""The files of one package name in all subdirs of a label: what channeldata.json is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.views import ViewKey

_CHUNK = 500  # ids in one IN list, below every database's limit of parameters


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file that a label shows, as far as is needed to choose among them."""

    artifact_id: int
    subdir: str
    filename: str
    version: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class PackageDetails:
    """What is said of a chosen file."""

    record: bytes
    run_exports: bytes
    #: JSON of ``formats.archive.facts.ChannelFacts``.
    facts: bytes


def shown_files(connection: Connection, key: ViewKey, name: str) -> list[PackageFile]:
    """List the files of a package that the label's views show; of several candidates the newest."""
    query = (
        sa.select(
            t.files.c.artifact_id,
            t.files.c.subdir,
            t.files.c.filename,
            t.artifacts.c.version,
            t.artifacts.c.timestamp_ms,
        )
        .join(t.file_labels, t.file_labels.c.file_id == t.files.c.id)
        .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
        .where(
            t.files.c.channel_id == key.channel_id,
            t.files.c.name == name,
            t.files.c.deleted_ms.is_(None),
            t.file_labels.c.label_id == key.label_id,
            t.file_labels.c.active,
        )
    )
    if not key.shows_broken:
        query = query.where(~t.files.c.broken)
    # Sorted here: asked to do it, SQLite reads the whole channel in that order instead of looking the name up.
    rows = sorted(
        connection.execute(query.add_columns(t.files.c.id)), key=lambda row: (row[1], row[2], row[-1])
    )
    return list({(row.subdir, row.filename): PackageFile(*row[:-1]) for row in rows}.values())


def details(connection: Connection, artifact_ids: Iterable[int]) -> Iterator[tuple[int, PackageDetails]]:
    """Yield what is said of artifacts, by their ids."""
    ids = list(artifact_ids)
    columns = (
        t.artifacts.c.id,
        t.artifacts.c.record,
        t.artifacts.c.run_exports,
        t.channel_facts.c.facts,
    )
    for start in range(0, len(ids), _CHUNK):
        query = (
            sa.select(*columns)
            .join(t.channel_facts, t.channel_facts.c.artifact_id == t.artifacts.c.id)
            .where(t.artifacts.c.id.in_(ids[start : start + _CHUNK]))
        )
        for artifact_id, *said in connection.execute(query).all():
            yield artifact_id, PackageDetails(*said)


def names(connection: Connection, key: ViewKey, after: str, limit: int) -> list[str]:
    """List package names of the channel in order, some at a time."""
    query = (
        sa.select(t.files.c.name)
        .where(t.files.c.channel_id == key.channel_id, t.files.c.name > after)
        .distinct()
        .order_by(t.files.c.name)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())
