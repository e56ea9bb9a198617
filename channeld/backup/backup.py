"""``channeld backup``: the catalog's dump, and the bytes that it refers to, in a folder (see ``folder``).

A backup is taken while the server runs: the dump is one snapshot, and what it refers to is immutable and not swept for
a while. A second backup into the same folder copies only what is new, and the first one is whole until it is done.
Every file is checked against its hash on the way; a damaged artifact is named, and does not keep the rest from being
saved.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld import __version__
from channeld.backup import dump
from channeld.backup.folder import (
    Manifest,
    blob_path,
    copy,
    hash_of,
    is_there,
    read_manifest,
    write_manifest,
)
from channeld.backup.rejections import NotABackup
from channeld.blobs.durable import Disk, disk_errors
from channeld.catalog import schema
from channeld.catalog import tables as t
from channeld.catalog.privatefile import create_private
from channeld.indexing.packs import SUFFIX
from channeld.instance import Instance
from channeld.intake.keeping import named_among

_ROWS: Final = 2000

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
    #: Hashes of artifacts whose bytes are not in it, because they were damaged or missing.
    damaged: tuple[str, ...] = ()


@dataclass(slots=True)
class Copied:
    """What was copied so far."""

    files: int = 0
    size: int = 0

    def add(self, path: Path) -> None:
        """Count a file."""
        self.files += 1
        self.size += path.stat().st_size


def take(instance: Instance, folder: Path, progress: Progress = quiet) -> Report:
    """Back an instance up into a folder; what an earlier backup left there is used again.

    Raises:
        Unavailable: disk or database. An earlier backup in the folder is still whole then.
    """
    disk = Disk()
    with disk_errors(folder):
        disk.make_folder(folder)
    taken = datetime.now(UTC)
    catalog = f"catalog-{taken:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}.msgpack.zst"
    with instance.database.snapshot() as connection:
        with disk_errors(folder / catalog), os.fdopen(create_private(folder / catalog), "wb") as file:
            rows = dump.write(connection, file, schema.newest_revision())
        artifacts = list(_artifacts(connection))
    copied = Copied()
    absent = _copy_artifacts(instance, folder, artifacts, copied, progress)
    packs = _copy_packs(instance, folder, copied, progress)
    manifest = Manifest(
        channeld=__version__,
        taken=taken.isoformat(timespec="seconds"),
        catalog=catalog,
        catalog_sha256=hash_of(folder / catalog),
        rows=rows,
        artifacts=len(artifacts),
        absent=tuple(absent),
        packs=packs,
    )
    write_manifest(folder, manifest)
    _prune(folder, manifest)
    # one that was swept since the snapshot is no loss: nothing shows it any more
    damaged = instance.database.read_now(lambda connection: named_among(connection, absent))
    return Report(len(artifacts), len(packs), copied.files, copied.size, rows, tuple(sorted(damaged)))


def _artifacts(connection: Connection) -> Iterator[tuple[str, int]]:
    """Yield hash and size of every artifact that has bytes."""
    table = t.artifacts
    query = sa.select(table.c.sha256, table.c.size).where(table.c.swept_ms.is_(None)).order_by(table.c.sha256)
    for row in connection.execute(query.execution_options(yield_per=_ROWS)):
        yield row.sha256, row.size


def _copy_artifacts(
    instance: Instance, folder: Path, artifacts: list[tuple[str, int]], copied: Copied, progress: Progress
) -> list[str]:
    """Copy the artifacts that the folder has not; returns those whose bytes are not there as they should be."""
    disk = Disk()
    absent = []
    for number, (sha256, size) in enumerate(artifacts):
        target = blob_path(folder, sha256)
        if not is_there(target, size):
            if copy(disk, instance.blobs.path(sha256), target, sha256) is None:
                absent.append(sha256)
            else:
                copied.add(target)
        progress("artifacts", number + 1, len(artifacts))
    return absent


def _copy_packs(instance: Instance, folder: Path, copied: Copied, progress: Progress) -> dict[str, str]:
    """Copy every pack; returns their hashes. What the snapshot needs is among them, and what is not is little."""
    disk = Disk()
    try:
        known = read_manifest(folder).packs
    except NotABackup:
        known = {}
    with disk_errors(instance.packs.folder):
        sources = sorted(instance.packs.folder.glob(f"*{SUFFIX}"))
    packs = {}
    for number, source in enumerate(sources):
        target = folder / "packs" / source.name
        sha256: str | None = known.get(source.name)
        if sha256 is None or not target.exists():
            sha256 = copy(disk, source, target)
            if sha256 is None:  # removed meanwhile: nothing that is kept refers to it
                continue
            copied.add(target)
        packs[source.name] = sha256
        progress("packs", number + 1, len(sources))
    return packs


def _prune(folder: Path, manifest: Manifest) -> None:
    """Remove older dumps, and packs that the instance has no more: they would only grow. Artifacts stay."""
    for path in (*folder.glob("catalog-*"), *(folder / "packs").glob("*")):
        if path.name != manifest.catalog and path.name not in manifest.packs:
            with suppress(OSError):
                path.unlink()
