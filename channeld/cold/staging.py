"""Files of a static channel, put in place so that whoever looks, also after a crash, finds the old one or the new one.

Each is written under a temporary name beside its own. ``commit`` has the disk write all of them, and then gives them
their names in ranks, one rank after the other: what others point to comes first.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from channeld.blobs.batches import sync_file_system
from channeld.blobs.durable import disk_errors

PREFIX: Final = ".channeld-"
SUFFIX: Final = ".tmp"


class Written(NamedTuple):
    """A document as it was written; ``digest`` tells what it says."""

    digest: str
    size: int
    mtime_ns: int


class _Staged(NamedTuple):
    temporary: str
    target: str
    path: str
    digest: str


@dataclass(slots=True)
class Staging:
    """The files of one run that differ from what is there. Paths are relative to the channel's folder."""

    folder: Path
    #: What was written by earlier runs, by path.
    known: Mapping[str, Written]
    _given: set[str] = field(default_factory=set)
    _ranks: dict[int, list[_Staged]] = field(default_factory=dict)

    def is_current(self, path: str, digest: str = "") -> bool:
        """Tell whether a file is there as an earlier run wrote it; with a ``digest``, whether it says that too."""
        known = self.known.get(path)
        if known is None or (digest and known.digest != digest):
            return False
        try:
            status = os.stat(f"{self.folder}/{path}")  # noqa: PTH116
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == known[1:]

    def temporary(self, path: str) -> Path:
        """Return where to write a file until it is put."""
        before, slash, name = f"{self.folder}/{path}".rpartition("/")
        temporary = f"{before}{slash}{PREFIX}{secrets.token_hex(8)}-{name[:100]}{SUFFIX}"
        self._given.add(temporary)
        return Path(temporary)

    def put(self, rank: int, path: str, digest: str, temporary: Path) -> bool:
        """Take a file that has been written; drops it when the same is there, and returns whether it is needed."""
        self._given.discard(str(temporary))
        if self.is_current(path, digest):
            temporary.unlink()
            return False
        self._stage(rank, _Staged(str(temporary), f"{self.folder}/{path}", path, digest))
        return True

    def put_bytes(self, rank: int, path: str, data: bytes) -> None:
        """Write a small file, unless the same is there."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.is_current(path, digest):
            temporary = self.temporary(path)
            temporary.write_bytes(data)
            self.put(rank, path, digest, temporary)

    def put_all(self, rank: int, folder: str, names: Iterable[tuple[str, str]]) -> None:
        """Take files of which nobody will ask again whether they are current, as pairs of temporary name and name."""
        place = f"{self.folder}/{folder}"
        for temporary, name in names:
            self._stage(rank, _Staged(f"{place}/{temporary}", f"{place}/{name}", "", ""))

    def _stage(self, rank: int, staged: _Staged) -> None:
        self._ranks.setdefault(rank, []).append(staged)

    def commit(self) -> dict[str, Written]:
        """Put everything in place; returns what was written, by path.

        Raises:
            DiskFull, DiskUnavailable
        """
        written: dict[str, Written] = {}
        if not self._ranks:
            return written
        with disk_errors(self.folder):
            sync_file_system(self.folder)
            for _, rank in sorted(self._ranks.items()):
                for one in rank:
                    os.rename(one.temporary, one.target)  # noqa: PTH104 - thousands of shards
                    if one.path:
                        status = os.stat(one.target)  # noqa: PTH116
                        written[one.path] = Written(one.digest, status.st_size, status.st_mtime_ns)
        self._ranks = {}
        return written

    def discard(self) -> None:
        """Remove what has not been put in place."""
        left = {one.temporary for rank in self._ranks.values() for one in rank} | self._given
        for temporary in left:
            Path(temporary).unlink(missing_ok=True)
        self._ranks, self._given = {}, set()


def sweep(folder: Path) -> None:
    """Remove what an earlier run, that was killed, left behind in a folder."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(PREFIX)]
        for name in names:
            if name.endswith(SUFFIX):
                (folder / name).unlink(missing_ok=True)
