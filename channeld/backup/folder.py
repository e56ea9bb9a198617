"""What a backup looks like on disk, and how files get in and out of it.

<backup>/manifest.json                 replaced last, so that it always names a whole backup
<backup>/catalog-<time>.msgpack.zst    the dump that the manifest names
<backup>/blobs/, packs/                what the dump refers to; files never change there
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from channeld.backup.rejections import NotABackup
from channeld.blobs.durable import Disk, Pending, disk_errors, write_file

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup consists of. Hashes are SHA-256, hex."""

    channeld: str
    taken: str
    catalog: str
    catalog_sha256: str
    rows: Mapping[str, int]
    artifacts: int
    #: Artifacts that the dump names and whose bytes are not in the backup: they were damaged, or swept meanwhile.
    absent: tuple[str, ...] = ()
    #: File name → hash.
    packs: Mapping[str, str] = field(default_factory=dict)
    format: int = _FORMAT


def read_manifest(folder: Path) -> Manifest:
    """Read what a folder has; raises ``NotABackup``."""
    try:
        values = orjson.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**{**values, "absent": tuple(values["absent"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotABackup(str(folder)) from error
    if manifest.format != _FORMAT:
        raise NotABackup(str(folder))
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Have the folder be this backup from now on; everything else must be there already."""
    os.sync()
    data = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_file(Disk(), folder / MANIFEST, data)


def blob_path(folder: Path, sha256: str) -> Path:
    """Say where a backup has an artifact."""
    return folder / "blobs" / sha256[:2] / sha256


def hash_of(path: Path) -> str:
    """Hash a file; raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_there(path: Path, size: int) -> bool:
    """Tell whether a file of that size is there; files get their names when they are whole."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def copy(disk: Disk, source: Path, target: Path, sha256: str = "") -> str | None:
    """Copy a file under a temporary name first; returns its hash.

    Returns None, and leaves nothing, where the source is not there or has not the hash that was expected.

    Raises:
        DiskFull, DiskUnavailable: as they say.
    """
    with disk_errors(target):
        disk.make_folder(target.parent)
    with disk_errors(source):
        try:
            file = source.open("rb")
        except FileNotFoundError:
            return None
    with file:
        pending = Pending(disk, target.parent)
        try:
            found = _pour(file, pending)
        except BaseException:
            pending.discard()
            raise
    if sha256 and found != sha256:
        pending.discard()
        return None
    pending.commit(target)
    return found


def _pour(file: BinaryIO, pending: Pending) -> str:
    hashing = hashlib.sha256()
    with disk_errors(pending.path):
        while chunk := file.read(_CHUNK):
            hashing.update(chunk)
            pending.write(chunk)
    return hashing.hexdigest()
