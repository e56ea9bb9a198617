"""``channeld backup`` and ``channeld restore``.

    <backup>/catalog.msgpack.zst   the catalog's dump
    <backup>/blobs/, packs/        what the dump refers to
    <backup>/manifest.json         written last: a backup without it is not one

A backup is taken while the server runs: the dump is one snapshot, and what it refers to is immutable and not swept
for a while. A second backup to the same folder copies only what is new. A restored server serves the same bytes with
the same ETags: pages and tables come back as they were, and each file is checked against its hash on the way.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld import __version__
from channeld.backup import dump
from channeld.blobs.durable import Disk, disk_errors, write_file
from channeld.catalog import schema
from channeld.catalog import tables as t
from channeld.errors import Rejected
from channeld.indexing import generation
from channeld.indexing.generation import Paged
from channeld.indexing.packs import SUFFIX
from channeld.instance import Instance

CATALOG: Final = "catalog.msgpack.zst"
MANIFEST: Final = "manifest.json"
_CHUNK: Final = 4 * 1024 * 1024

#: Called with what is being copied, how many files are done, and how many there are.
Progress = Callable[[str, int, int], None]


def quiet(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a backup holds, or a restore brought back."""

    artifacts: int
    packs: int
    copied_files: int
    copied_bytes: int
    rows: dict[str, int]


@dataclass(eq=False)
class NotABackup(Rejected):
    """The folder has no manifest."""

    folder: str

    advice: ClassVar[str] = (
        "Give the folder that `channeld backup` wrote; one that was not finished has no manifest."
    )

    def sentence(self) -> str:
        return f"{self.folder} is not a finished backup."


@dataclass(eq=False)
class BackupDamaged(Rejected):
    """A file of the backup is missing or changed."""

    path: str
    problem: str

    advice: ClassVar[str] = "Restore from another backup. Nothing was restored."

    def sentence(self) -> str:
        return f"The backup's file {self.path} {self.problem}."


@dataclass(eq=False)
class InstanceNotEmpty(Rejected):
    """There is data already where the backup would go."""

    place: str

    advice: ClassVar[str] = "Restore into an empty data folder and an empty database."

    def sentence(self) -> str:
        return f"{self.place} holds data already."


def take(instance: Instance, folder: Path, progress: Progress = quiet) -> Report:
    """Back an instance up into a folder; what an earlier backup left there is used again.

    Raises:
        Unavailable: disk or database. There is no new manifest then.
    """
    disk = Disk()
    manifest = folder / MANIFEST
    with disk_errors(folder):
        disk.make_folder(folder)
        manifest.unlink(missing_ok=True)
    partial = folder / f"{CATALOG}.tmp"
    with instance.database.snapshot() as connection:
        with disk_errors(partial), partial.open("wb") as file:
            rows = dump.write(connection, file, schema.newest_revision())
            os.fsync(file.fileno())
        artifacts = list(_artifacts(connection))
        packs = sorted(_packs(connection))
    with disk_errors(partial):
        partial.replace(folder / CATALOG)
    blobs = [(instance.blobs.path(sha256), _blob_path(folder, sha256)) for sha256 in artifacts]
    pages = [(instance.packs.folder / (name + SUFFIX), folder / "packs" / (name + SUFFIX)) for name in packs]
    counted = [_copy_missing(blobs, "artifacts", progress), _copy_missing(pages, "packs", progress)]
    report = Report(len(artifacts), len(packs), sum(n for n, _ in counted), sum(b for _, b in counted), rows)
    write_file(disk, manifest, _manifest(folder, report))
    return report


def _manifest(folder: Path, report: Report) -> bytes:
    document = {
        "channeld": __version__,
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "catalog_sha256": _sha256(folder / CATALOG),
        "artifacts": report.artifacts,
        "packs": report.packs,
        "rows": report.rows,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _artifacts(connection: Connection) -> Iterator[str]:
    """Yield the hashes of what some file refers to, also a deleted one that may come back."""
    used = sa.select(t.files.c.artifact_id)
    query = sa.select(t.artifacts.c.sha256).where(t.artifacts.c.id.in_(used)).order_by(t.artifacts.c.sha256)
    yield from connection.execute(query).scalars()


def _packs(connection: Connection) -> set[str]:
    """Name the packs that the current generations and the shards lie in."""
    names = set(connection.execute(sa.select(t.shards.c.pack).distinct()).scalars())
    for documents in connection.execute(sa.select(t.generations.c.documents)).scalars():
        for document in generation.decode(documents).values():
            names.add(document.table.pack if isinstance(document, Paged) else document.place.pack)
    return names


def _copy_missing(pairs: Iterable[tuple[Path, Path]], what: str, progress: Progress) -> tuple[int, int]:
    """Copy each file that is not there yet with its size; returns how many files and bytes."""
    pairs = list(pairs)
    count = size = 0
    for number, (source, target) in enumerate(pairs):
        with disk_errors(target):
            length = source.stat().st_size
            if not (target.exists() and target.stat().st_size == length):
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target)
                count += 1
                size += length
        progress(what, number + 1, len(pairs))
    return count, size


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".tmp")
    shutil.copyfile(source, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)


def _blob_path(folder: Path, sha256: str) -> Path:
    return folder / "blobs" / sha256[:2] / sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore(instance: Instance, folder: Path, progress: Progress = quiet) -> Report:
    """Bring a backup back into an empty instance: bytes first, rows last, in one transaction.

    Raises:
        NotABackup, BackupDamaged, InstanceNotEmpty, DumpUnreadable, RevisionDiffers: as they say.
    """
    if not (folder / MANIFEST).is_file():
        raise NotABackup(str(folder))
    manifest = orjson.loads((folder / MANIFEST).read_bytes())
    if _sha256(folder / CATALOG) != manifest["catalog_sha256"]:
        raise BackupDamaged(CATALOG, "has changed since it was written")
    if instance.database.read_now(_has_rows):
        raise InstanceNotEmpty("The catalog")
    blobs = sorted(path for path in (folder / "blobs").glob("*/*") if not path.name.endswith(".tmp"))
    packs = sorted((folder / "packs").glob(f"*{SUFFIX}"))
    for path in blobs:
        if _sha256(path) != path.name:
            raise BackupDamaged(str(path.relative_to(folder)), "has changed since it was written")
    if len(blobs) < manifest["artifacts"]:
        raise BackupDamaged("blobs", f"has {len(blobs)} of {manifest['artifacts']} artifacts")
    pairs = [(path, instance.blobs.path(path.name)) for path in blobs]
    counted = [
        _copy_missing(pairs, "artifacts", progress),
        _copy_missing([(path, instance.packs.folder / path.name) for path in packs], "packs", progress),
    ]
    os.sync()
    rows = instance.database.write_now(
        lambda connection: dump.read(connection, folder / CATALOG, schema.newest_revision())
    )
    return Report(len(blobs), len(packs), sum(n for n, _ in counted), sum(b for _, b in counted), rows)


def _has_rows(connection: Connection) -> bool:
    return any(
        connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
        for table in dump.dumped_tables()
    )
