"""Artifacts in a directory: ``<root>/<first two hex digits>/<sha256>``, each stored once, never changed.

Calls block on the disk; callers keep them off the event loop.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from channeld.blobs.durable import Disk, DiskFull, Pending, disk_errors
from channeld.errors import Unavailable

#: The folders in which artifacts lie, by the first two digits of their hash.
PREFIXES: Final = tuple(f"{number:02x}" for number in range(256))
_HASH_LENGTH: Final = 64
#: Bytes after which an upload of unknown length looks again whether the disk still has room.
_LOOK_BYTES: Final = 32 * 1024 * 1024


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
    """The bytes of an upload on their way in: hashed while they are written, readable before they are kept.

    What is written first stays in memory until more comes or it is kept: a small package that is refused touches no
    disk, and one that is read for inspection is read without a system call.
    """

    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs
        self._in_memory = b""
        self._pending: Pending | None = None
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._looked = 0
        #: Bytes written so far.
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            DiskFull: there is no room, or no more than the reserve.
            DiskUnavailable: the disk does not work.
        """
        if self.size + len(data) - self._looked > _LOOK_BYTES:
            self._blobs.check_room(len(data))
            self._looked = self.size
        self._sha256.update(data)
        self._md5.update(data)
        if self.size:
            self._on_disk().write(data)
        else:
            self._in_memory = data
        self.size += len(data)

    def _on_disk(self) -> Pending:
        if self._pending is None:
            self._pending = Pending(self._blobs.disk, self._blobs.incoming)
            self._pending.write(self._in_memory)
            self._in_memory = b""
        return self._pending

    def digests(self) -> Digests:
        """Return the hashes of everything written so far."""
        return Digests(self._sha256.hexdigest(), self._md5.hexdigest(), self.size)

    def reader(self) -> BinaryIO:
        """Return the bytes, from their start, for inspection."""
        if self._pending is None:
            return io.BytesIO(self._in_memory)
        with disk_errors(self._pending.path):
            self._pending.file.flush()
            self._pending.file.seek(0)
        return self._pending.file

    def keep(self) -> Digests:
        """Make the bytes durable under their hash.

        They take the place of what is stored there: nobody knows whether the disk still has it as it was written.
        """
        digests = self.digests()
        self._blobs.make_shelf(digests.sha256)
        self._on_disk().commit(self._blobs.path(digests.sha256))
        return digests

    def discard(self) -> None:
        """Forget the bytes."""
        if self._pending is not None:
            self._pending.discard()


class LocalBlobs:
    """The artifact store of one data directory.

    Whether bytes are still wanted is for the catalog to say; ``channeld.intake.keeping`` has the rules by which what is
    kept here and what is named there stay in step.
    """

    def __init__(self, root: Path, disk: Disk | None = None, reserve_bytes: int = 0) -> None:
        self.root = root
        self.disk = disk or Disk()
        self.reserve_bytes = reserve_bytes
        self.incoming = root / "incoming"
        self._durable: set[str] = set()
        with disk_errors(root):
            self.disk.make_folder(self.incoming)

    def make_shelf(self, sha256: str) -> None:
        """Make sure that the folder for an artifact is there, and stays after a crash, whoever made it.

        Raises:
            DiskFull, DiskUnavailable: as they say.
        """
        prefix = sha256[:2]
        if prefix not in self._durable:
            with disk_errors(self.root):
                (self.root / prefix).mkdir(exist_ok=True)
                self.disk.fsync_folder(self.root)
            self._durable.add(prefix)

    def path(self, sha256: str) -> Path:
        """Say where an artifact lies, or would lie."""
        return self.root / sha256[:2] / sha256

    def receive(self, expected_bytes: int = 0) -> Incoming:
        """Open a place for new bytes.

        Raises:
            DiskFull: the disk would keep less free space than its reserve.
            DiskUnavailable: it does not work.
        """
        self.check_room(expected_bytes)
        return Incoming(self)

    def check_room(self, expected_bytes: int = 0) -> None:
        """Raise ``DiskFull`` when so many more bytes would leave less free space than the reserve."""
        with disk_errors(self.root):
            free = self.disk.free_bytes(self.root)
        if free < self.reserve_bytes + expected_bytes:
            raise DiskFull(str(self.root), self.reserve_bytes)

    def check_writable(self) -> None:
        """Find out early whether something can be stored.

        Raises:
            DiskFull, DiskUnavailable: it cannot.
        """
        Pending(self.disk, self.incoming).discard()

    def open(self, sha256: str) -> BinaryIO:
        """Open an artifact for reading.

        Raises:
            BlobMissing: its bytes are not there.
            DiskUnavailable: the disk does not work.
        """
        path = self.path(sha256)
        with disk_errors(path):
            try:
                return path.open("rb")
            except FileNotFoundError:
                raise BlobMissing(sha256) from None

    def holds(self, sha256: str, size: int) -> bool:
        """Tell whether an artifact is stored whole. What is under its name was made durable before it got it."""
        path = self.path(sha256)
        with disk_errors(path):
            try:
                return path.stat().st_size == size
            except FileNotFoundError:
                return False

    def names(self, prefix: str) -> list[str]:
        """List the hashes of the artifacts that are stored under a prefix (one of ``PREFIXES``)."""
        with disk_errors(self.root):
            try:
                return sorted(name for name in os.listdir(self.root / prefix) if len(name) == _HASH_LENGTH)
            except FileNotFoundError:
                return []

    def delete(self, sha256: str, untouched_since: float) -> bool:
        """Remove an artifact unless it was stored or touched since a Unix time (seconds); tells whether it went.

        Only for ``channeld.intake.keeping``, which knows whether a row refers to it.
        """
        path = self.path(sha256)
        with disk_errors(path):
            try:
                if path.stat().st_mtime >= untouched_since:
                    return False
            except FileNotFoundError:
                return False
            self.disk.unlink(path)
        return True
