"""The folder of a subdir's shards, each named by its hash: what is there, what is new, what is listed no more.

A shard is put under its name only when it is whole and on the disk, so whatever has such a name is what it says.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from channeld.cold.staging import PREFIX
from channeld.cold.staging import SUFFIX as TEMPORARY

FOLDER: Final = "shards"
SUFFIX: Final = ".msgpack.zst"
#: Milliseconds for which shards stay after no index lists them (CEP 16: a week).
KEPT_MS: Final = 7 * 86_400_000
_DIGITS: Final = frozenset("0123456789abcdef")


def listing(folder: Path) -> set[str]:
    """Return the hashes, in hex, of the shards in a folder that may not be there."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return set()
    return {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX) and _is_hash(name[:-12])}


def _is_hash(text: str) -> bool:
    return len(text) == 64 and _DIGITS.issuperset(text)


class ShardWriter:
    """Writes the shards that are not in a folder yet, under temporary names; for a worker process."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._there = listing(folder)
        self._token = secrets.token_hex(8)
        self._made = folder.is_dir()
        #: Temporary name → name.
        self.written: dict[str, str] = {}

    def write(self, sha256: bytes, data: bytes) -> None:
        """Write a shard, unless it is there."""
        digest = sha256.hex()
        if digest in self._there:
            return
        self._there.add(digest)
        if not self._made:
            os.mkdir(self._folder)  # noqa: PTH102
            self._made = True
        temporary = f"{PREFIX}{self._token}-{digest}{TEMPORARY}"
        with open(f"{self._folder}/{temporary}", "xb", buffering=0) as file:  # noqa: PTH123 - thousands of them
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        self.written[temporary] = digest + SUFFIX


@dataclass(slots=True)
class Retirement:
    """What becomes of shards that an index lists no more: they stay for a week. Paths are relative to the channel."""

    #: Since when shards are listed by no index (ms), by path.
    known: Mapping[str, int]
    unlisted: list[str] = field(default_factory=list)
    listed_again: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)

    def look(self, subdir: str, there: Set[str], listed: Set[str], now_ms: int) -> None:
        """Compare the shards of a subdir with those that its index lists; both in hex."""
        for digest in there | listed:
            path = f"{subdir}/{FOLDER}/{digest}{SUFFIX}"
            if digest in listed:
                if path in self.known:
                    self.listed_again.append(path)
            elif self.known.get(path, now_ms) < now_ms - KEPT_MS:
                self.over.append(path)
            else:
                self.unlisted.append(path)
