"""``channeld restore``: a backup back into an empty instance, which then serves the same bytes under the same ETags.

Everything is checked before anything is changed: the manifest, the dump, every artifact and pack against its hash.
Then bytes first, rows last, in one transaction.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.backup import dump
from channeld.backup.backup import Copied, Progress, Report, quiet
from channeld.backup.folder import Manifest, blob_path, copy, hash_of, is_there, read_manifest
from channeld.backup.rejections import BackupDamaged, InstanceNotEmpty
from channeld.blobs.durable import Disk
from channeld.catalog import schema
from channeld.catalog import tables as t
from channeld.instance import Instance


def restore(instance: Instance, folder: Path, progress: Progress = quiet) -> Report:
    """Bring a backup back.

    Raises:
        NotABackup, BackupDamaged, DumpUnreadable, RevisionDiffers, InstanceNotEmpty: nothing was restored.
        Unavailable: disk or database; files may have been copied, and another attempt goes on from there.
    """
    manifest = read_manifest(folder)
    if instance.database.read_now(_has_rows):
        raise InstanceNotEmpty("The catalog")
    artifacts = _checked_artifacts(folder, manifest, progress)
    _check_packs(folder, manifest)
    copied = Copied()
    for number, (sha256, size) in enumerate(artifacts):
        _bring(blob_path(folder, sha256), instance.blobs.path(sha256), size, sha256, copied)
        progress("artifacts", number + 1, len(artifacts))
    for number, (name, sha256) in enumerate(manifest.packs.items()):
        source = folder / "packs" / name
        _bring(source, instance.packs.folder / name, source.stat().st_size, sha256, copied)
        progress("packs", number + 1, len(manifest.packs))
    rows = instance.database.write_now(
        lambda connection: dump.read(connection, folder / manifest.catalog, schema.newest_revision())
    )
    return Report(manifest.artifacts, len(manifest.packs), copied.files, copied.size, rows, manifest.absent)


def _has_rows(connection: Connection) -> bool:
    return any(
        connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
        for table in dump.dumped_tables()
    )


def _checked_artifacts(folder: Path, manifest: Manifest, progress: Progress) -> list[tuple[str, int]]:
    """List hash and size of the artifacts that the dump names, each with its bytes in the backup."""
    catalog = folder / manifest.catalog
    _check(catalog, manifest.catalog, manifest.catalog_sha256)
    artifacts = [
        (row["sha256"], row["size"])
        for table, rows in dump.batches(catalog, schema.newest_revision())
        if table is t.artifacts
        for row in rows
        if row["swept_ms"] is None and row["sha256"] not in manifest.absent
    ]
    for number, (sha256, _) in enumerate(artifacts):
        path = blob_path(folder, sha256)
        _check(path, str(path.relative_to(folder)), sha256)
        progress("checked artifacts", number + 1, len(artifacts))
    return artifacts


def _check_packs(folder: Path, manifest: Manifest) -> None:
    for name, sha256 in manifest.packs.items():
        _check(folder / "packs" / name, f"packs/{name}", sha256)


def _check(path: Path, name: str, sha256: str) -> None:
    try:
        found = hash_of(path)
    except FileNotFoundError:
        raise BackupDamaged(name, "is missing") from None
    except OSError as error:
        raise BackupDamaged(name, f"cannot be read ({error.strerror})") from error
    if found != sha256:
        raise BackupDamaged(name, "has changed since it was written")


def _bring(source: Path, target: Path, size: int, sha256: str, copied: Copied) -> None:
    """Copy a file that is not there yet."""
    if is_there(target, size):
        return
    if copy(Disk(), source, target, sha256) is None:
        raise BackupDamaged(str(source), "has changed while it was read")
    copied.add(target)
