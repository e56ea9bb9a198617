"""Many artifacts made durable together: two waits for the disk for all of them, not two for each.

The bytes lie under temporary names in the store's ``incoming`` folder already. ``store`` has the disk write all of
them, gives them their names, and has it write those; then rows may refer to them. ``settle``, after the commit of the
rows, sees to those that were in the store before: they may have been swept in between, or have been damaged.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from channeld.blobs.durable import DiskFull, disk_errors
from channeld.blobs.local import Digests, LocalBlobs


@dataclass(frozen=True, slots=True)
class Kept:
    """An artifact under a temporary name."""

    temporary: Path
    digests: Digests


def sync_file_system(folder: Path) -> None:
    """Wait until everything that was written to the file system of a folder is on the disk (Linux: syncfs)."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class BlobBatch:
    """Artifacts on their way into one store."""

    blobs: LocalBlobs
    kept: Sequence[Kept]
    #: Those whose bytes were there already.
    _known: list[Kept] = field(default_factory=list)

    def store(self) -> None:
        """Make every artifact durable under its hash.

        Raises:
            DiskFull: the disk would keep less free space than its reserve; nothing was stored.
            DiskUnavailable: the disk does not work; some of them may have been stored, which does no harm.
        """
        blobs, root = self.blobs, self.blobs.root
        with disk_errors(root):
            if blobs.disk.free_bytes(root) < blobs.reserve_bytes:
                raise DiskFull(str(root), blobs.reserve_bytes)
            sync_file_system(root)
            for one in self.kept:
                if self._is_stored(one.digests):
                    self._known.append(one)
                else:
                    self._name(one)
            sync_file_system(root)

    def _is_stored(self, digests: Digests) -> bool:
        """Tell whether the bytes are in the store; if so they are wanted again, which a sweeper will notice."""
        path = self.blobs.path(digests.sha256)
        try:
            if path.stat().st_size != digests.size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _name(self, one: Kept) -> None:
        target = self.blobs.path(one.digests.sha256)
        target.parent.mkdir(exist_ok=True)
        self.blobs.disk.rename(one.temporary, target)

    def settle(self) -> None:
        """Put the bytes that came in the place of those that were stored before."""
        with disk_errors(self.blobs.root):
            swept = [one for one in self._known if not self._is_stored(one.digests)]
            for one in self._known:
                self._name(one)
                # where both are one file, linked twice, renaming does nothing
                self.blobs.disk.unlink(one.temporary)
            if swept:
                sync_file_system(self.blobs.root)

    def discard(self) -> None:
        """Forget the bytes that have no name yet. Never fails: what stays is swept at the next start."""
        for one in self.kept:
            try:
                self.blobs.disk.unlink(one.temporary)
            except OSError:
                continue
