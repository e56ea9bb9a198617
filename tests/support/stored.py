"""What a server has stored of uploads: bytes, unfinished files and rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.blobs.local import PREFIXES
from channeld.catalog import tables as t
from channeld.catalog.database import Database


@dataclass(frozen=True, slots=True)
class Stored:
    """All of it, whatever the catalog makes of it."""

    #: Hashes of the stored bytes.
    blobs: frozenset[str] = frozenset()
    #: Names of temporary files, wherever they are.
    unfinished: frozenset[str] = frozenset()
    #: Hashes that have a row.
    artifacts: frozenset[str] = frozenset()
    #: Of every channel: (channel, subdir, file name, hash).
    files: frozenset[tuple[str, str, str, str]] = frozenset()
    #: Rows of the audit that are about files.
    actions: tuple[str, ...] = ()


NOTHING = Stored()


def stored_in(database: Database, data_dir: Path) -> Stored:
    """Look at everything."""
    return Stored(
        blobs=frozenset(blobs_in(data_dir)),
        unfinished=frozenset(unfinished_in(data_dir)),
        artifacts=database.read_now(_artifacts),
        files=database.read_now(_files),
        actions=database.read_now(_actions),
    )


def blobs_in(data_dir: Path) -> set[str]:
    """Name the bytes that are stored, and make sure that nothing else lies among them."""
    root = data_dir / "blobs"
    found = {path for path in root.rglob("*") if path.is_file() and path.parent.name != "incoming"}
    for path in found:
        assert path.parent.name in PREFIXES
        assert path.name.startswith(path.parent.name)
        assert len(path.name) == 64
    return {path.name for path in found}


def unfinished_in(data_dir: Path) -> set[str]:
    """Name the unfinished uploads."""
    return {path.name for path in (data_dir / "blobs" / "incoming").iterdir()}


def _artifacts(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(sa.select(t.artifacts.c.sha256)).scalars())


def _files(connection: Connection) -> frozenset[tuple[str, str, str, str]]:
    query = (
        sa.select(t.channels.c.name, t.files.c.subdir, t.files.c.filename, t.artifacts.c.sha256)
        .join(t.channels, t.channels.c.id == t.files.c.channel_id)
        .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
    )
    return frozenset(tuple(row) for row in connection.execute(query))


def _actions(connection: Connection) -> tuple[str, ...]:
    query = sa.select(t.audit.c.action).where(t.audit.c.action.like("file.%")).order_by(t.audit.c.id)
    return tuple(connection.execute(query).scalars())
