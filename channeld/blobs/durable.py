"""The one place that knows how a file becomes durable.

A file appears under its name only when its bytes are on the disk: write to a temporary name in the same file system,
fsync the file, rename, fsync the directory. A crash before the rename leaves a temporary file, which ``sweep`` removes
at the next start or a while later; a crash after it leaves the whole file.

All system calls go through ``Disk``, so that tests can make each one of them fail, or fail after it took effect.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, ClassVar

from channeld.errors import Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(eq=False)
class DiskFull(Unavailable):
    """There is no room; what was being written is gone again."""

    path: str
    #: Free bytes that have to stay, where there are no more than those.
    reserve_bytes: int = 0

    advice: ClassVar[str] = "Free some space, or ask the operator to; nothing was stored."
    retry_after: ClassVar[int] = 60

    def sentence(self) -> str:
        if not self.reserve_bytes:
            return f"The disk that holds {self.path} is full."
        return (
            f"The disk that holds {self.path} is full: {self.reserve_bytes:,} free bytes are kept in reserve "
            f"(storage.reserve_bytes)."
        )

    def for_clients(self) -> DiskFull:
        return replace(self, path=Path(self.path).name)


@dataclass(eq=False)
class DiskUnavailable(Unavailable):
    """The file system did not do what it was asked."""

    path: str
    problem: str

    advice: ClassVar[str] = "Nothing was stored; look at the server's disk, and at who may write there."

    def sentence(self) -> str:
        return f"The file system failed at {self.path}: {self.problem}."

    def for_clients(self) -> DiskUnavailable:
        return replace(self, path=Path(self.path).name)


class Disk:
    """Every contact with the file system that durability depends on."""

    def create(self, path: Path) -> BinaryIO:
        """Create a file that must not be there yet, for writing and reading back."""
        return path.open("x+b")

    def write(self, file: BinaryIO, data: bytes) -> None:
        file.write(data)

    def fsync(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def fsync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        """Create a folder with those above it, and make the entry of each in its parent durable."""
        if not folder.is_dir():
            self.make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            self.fsync_folder(folder.parent)

    def free_bytes(self, folder: Path) -> int:
        """Bytes that an ordinary user could still write."""
        return shutil.disk_usage(folder).free


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn ``OSError`` into ``DiskFull`` or ``DiskUnavailable``, in one place."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(str(path)) from error
        raise DiskUnavailable(str(path), error.strerror or str(error)) from error


class Pending:
    """A file that is being written and has no name yet that anyone looks for.

    Either ``commit`` gives it one, or ``discard`` removes it; after both it is done. Not for two threads at once.
    """

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self.path = folder / f"{secrets.token_hex(12)}.tmp"
        with disk_errors(self.path):
            try:
                self.file = disk.create(self.path)
            except OSError:
                with suppress(OSError):
                    disk.unlink(self.path)
                raise
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with disk_errors(self.path):
            self._disk.write(self.file, data)
        self.size += len(data)

    def commit(self, target: Path) -> None:
        """Make the bytes durable under ``target``, replacing what is there.

        Raises:
            DiskFull, DiskUnavailable: the bytes are gone, or whole under their name where the last step failed.
        """
        try:
            with disk_errors(target):
                self._disk.fsync(self.file)
                self.file.close()
                self._disk.make_folder(target.parent)
                self._disk.rename(self.path, target)
                self._disk.fsync_folder(target.parent)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the bytes. Does nothing after a commit, and never fails: what stays is swept later."""
        with suppress(OSError):  # a full disk has no room for what is still in the buffer, either
            self.file.close()
        with suppress(OSError):
            self._disk.unlink(self.path)


def write_file(disk: Disk, target: Path, data: bytes) -> None:
    """Write a whole file durably."""
    with disk_errors(target):
        disk.make_folder(target.parent)
    pending = Pending(disk, target.parent)
    try:
        pending.write(data)
    except BaseException:
        pending.discard()
        raise
    pending.commit(target)


def sweep(folder: Path, older_than: float) -> int:
    """Remove temporary files last used before a Unix time (seconds); returns how many there were.

    The time of change alone does not tell: a frame is given one long past before it is given its name.
    """
    count = 0
    for path in folder.glob("*.tmp"):
        try:
            status = path.stat()
            if max(status.st_mtime, status.st_atime) < older_than:
                path.unlink()
                count += 1
        except OSError:
            continue  # somebody else was quicker, or the next start tries again
    return count
