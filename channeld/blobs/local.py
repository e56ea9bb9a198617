"""Artifacts in a directory: ``<root>/<first two hex digits>/<sha256>``, each stored once, never changed.

Calls block on the disk; callers keep them off the event loop.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from channeld.blobs.durable import Disk, DiskFull, Pending, disk_errors
from channeld.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Digests:
    """Both hashes and the size of some bytes."""

    sha256: str
    md5: str
    size: int


@dataclass(eq=False)
class BlobMissing(Unavailable):
    """The catalog knows an artifact whose bytes are not where they should be."""

    sha256: str

    advice: ClassVar[str] = "Restore the file from a backup, or upload the same package again."

    def sentence(self) -> str:
        return f"The bytes of the artifact with sha256 {self.sha256} are missing from the store."


class Incoming:
    """The bytes of an upload on their way in: hashed while they are written, readable before they are kept."""

    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs
        self._pending = Pending(blobs.disk, blobs.incoming)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(data)
        self._md5.update(data)
        self._pending.write(data)

    @property
    def size(self) -> int:
        return self._pending.size

    def digests(self) -> Digests:
        """Return the hashes of everything written so far."""
        return Digests(self._sha256.hexdigest(), self._md5.hexdigest(), self._pending.size)

    def reader(self) -> BinaryIO:
        """Return the file, at its start, for inspection."""
        with disk_errors(self._pending.path):
            self._pending.file.flush()
            self._pending.file.seek(0)
        return self._pending.file

    def keep(self) -> Digests:
        """Make the bytes durable under their hash."""
        digests = self.digests()
        target = self._blobs.path(digests.sha256)
        if self._blobs.touch(digests):
            self.discard()  # stored once
        else:
            self._pending.commit(target)
        return digests

    def discard(self) -> None:
        """Forget the bytes."""
        self._pending.discard()


class LocalBlobs:
    """The artifact store of one data directory."""

    def __init__(self, root: Path, disk: Disk | None = None, reserve_bytes: int = 0) -> None:
        self.root = root
        self.disk = disk or Disk()
        self.reserve_bytes = reserve_bytes
        self.incoming = root / "incoming"
        with disk_errors(root):
            self.disk.make_folder(self.incoming)

    def path(self, sha256: str) -> Path:
        """Say where an artifact lies, or would lie."""
        return self.root / sha256[:2] / sha256

    def receive(self, expected_bytes: int = 0) -> Incoming:
        """Open a place for new bytes.

        Raises:
            DiskFull: the disk would keep less free space than its reserve.
        """
        self.check_room(expected_bytes)
        return Incoming(self)

    def check_room(self, expected_bytes: int = 0) -> None:
        """Raise ``DiskFull`` when so many more bytes would leave less free space than the reserve."""
        with disk_errors(self.root):
            free = self.disk.free_bytes(self.root)
        if free < self.reserve_bytes + expected_bytes:
            raise DiskFull(str(self.root))

    def open(self, sha256: str) -> BinaryIO:
        """Open an artifact for reading; raises ``BlobMissing``."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(sha256) from None

    def touch(self, digests: Digests) -> bool:
        """Tell whether the artifact is stored whole; if so it is wanted again, and ``delete`` will notice."""
        target = self.path(digests.sha256)
        try:
            if target.stat().st_size != digests.size:
                return False
            os.utime(target)
        except FileNotFoundError:
            return False
        with disk_errors(target):
            self.disk.fsync_folder(target.parent)  # whoever renamed it there may not have come this far yet
        return True

    def delete(self, sha256: str, untouched_since: float) -> bool:
        """Remove an artifact that no row refers to, unless somebody stored it again since a Unix time (seconds).

        It is moved aside before its time is read, so that a ``touch`` comes either early enough to be seen here or
        finds nothing and stores the bytes anew.
        """
        path = self.path(sha256)
        aside = path.with_suffix(".tmp")
        with disk_errors(path):
            try:
                self.disk.rename(path, aside)
            except FileNotFoundError:
                return False
            if aside.stat().st_mtime >= untouched_since:
                self.disk.rename(aside, path)
                return False
            self.disk.unlink(aside)
        return True
