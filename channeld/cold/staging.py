"""Files of a static channel, put in place so that whoever looks, also after a crash, finds the old one or the new one.

Each is written under a temporary name beside its own. ``commit`` has the disk write all of them, and then gives them
their names in ranks, one rank after the other: what others point to comes first.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from channeld.blobs.batches import sync_file_system
from channeld.blobs.durable import disk_errors
from channeld.cold.ledger import Written

PREFIX: Final = ".channeld-"
SUFFIX: Final = ".tmp"


@dataclass(frozen=True, slots=True)
class _Staged:
    temporary: str
    target: str
    path: str
    digest: str
    linked: bool


@dataclass(slots=True)
class Staging:
    """The files of one run that differ from what is there."""

    folder: Path
    #: What was written by earlier runs, by path.
    known: Mapping[str, Written]
    _ranks: dict[int, list[_Staged]] = field(default_factory=dict)

    def is_current(self, path: str, digest: str) -> bool:
        """Tell whether a file is there as an earlier run wrote it, and says what it should say now."""
        known = self.known.get(path)
        if known is None or known.digest != digest:
            return False
        try:
            status = os.stat(f"{self.folder}/{path}")  # noqa: PTH116
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)

    def put(self, rank: int, path: str, digest: str) -> str:
        """Return where to write a file; "" when it is current.

        ``path`` is relative to the folder; ``digest`` tells the contents, "" that nobody will ask for them again.
        """
        return "" if self.is_current(path, digest) else self._stage(rank, path, digest, linked=False)

    def put_link(self, rank: int, path: str, digest: str, source: Path) -> None:
        """Put a file that is there under another name and never changes, unless it is current."""
        if not self.is_current(path, digest):
            os.link(source, self._stage(rank, path, digest, linked=True))

    def _stage(self, rank: int, path: str, digest: str, *, linked: bool) -> str:
        target = f"{self.folder}/{path}"
        before, slash, name = target.rpartition("/")
        temporary = f"{before}{slash}{PREFIX}{secrets.token_hex(8)}-{name[:100]}{SUFFIX}"
        self._ranks.setdefault(rank, []).append(_Staged(temporary, target, path, digest, linked))
        return temporary

    def commit(self) -> dict[str, Written]:
        """Put everything in place; returns what was written, by path."""
        written: dict[str, Written] = {}
        if not self._ranks:
            return written
        with disk_errors(self.folder):
            sync_file_system(self.folder)
            for _, rank in sorted(self._ranks.items()):
                for one in rank:
                    os.rename(one.temporary, one.target)  # noqa: PTH104 - thousands of shards
                    if one.linked:  # renaming one name of a file to another one of it does nothing
                        Path(one.temporary).unlink(missing_ok=True)
                    if one.digest:
                        status = os.stat(one.target)  # noqa: PTH116
                        written[one.path] = Written(one.digest, status.st_size, status.st_mtime_ns)
        self._ranks = {}
        return written

    def discard(self) -> None:
        """Remove what has not been put in place."""
        for rank in self._ranks.values():
            for one in rank:
                Path(one.temporary).unlink(missing_ok=True)
        self._ranks = {}


def sweep(folder: Path) -> None:
    """Remove what an earlier run, that was killed, left behind in a folder."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(PREFIX)]
        for name in names:
            if name.endswith(SUFFIX):
                (folder / name).unlink(missing_ok=True)
