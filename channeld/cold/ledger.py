"""Which files of a folder were read, as they were then; and what has to be done about those that are there now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from channeld.cold.refusal import Refusal
from channeld.cold.scan import ChannelFolder, Seen

#: A change within this many nanoseconds may leave the same time: 2 s on FAT, 1 s on old NFS and ext3.
RACY_NS: Final = 2_000_000_000
_RACY: Final = -1


@dataclass(frozen=True, slots=True)
class Rules:
    """What a judgement rests on. What was taken stays so under the same naming; a refusal also ends with a version."""

    naming: str
    version: str

    def of(self, refusal: Refusal | None) -> str:
        """Write down under which rules a file was taken or refused."""
        return self.naming if refusal is None else f"{self.naming} {self.version}"


class Entry(NamedTuple):
    """A file as it was when it was read; ``refusal`` is JSON, "" for one that was taken."""

    seen: Seen
    rules: str
    refusal: str


#: Subdir → file name → entry.
Ledger = dict[str, dict[str, Entry]]


def load(connection: sqlite3.Connection) -> Ledger:
    """Read everything that is remembered of files."""
    ledger: Ledger = {}
    for subdir, filename, size, mtime_ns, rules, refusal in connection.execute("SELECT * FROM files"):
        ledger.setdefault(subdir, {})[filename] = Entry(Seen(size, mtime_ns), rules, refusal)
    return ledger


def remember(
    connection: sqlite3.Connection,
    subdir: str,
    read: Iterable[tuple[str, Seen, Refusal | None]],
    rules: Rules,
    read_from_ns: int,
) -> None:
    """Note files as read: name, what was seen, and the refusal if it was refused.

    ``read_from_ns`` is when the listing was made: a time close to it is not trusted next time. A name that is no text
    cannot be noted: its file is refused again next time.
    """
    rows = [
        (
            subdir,
            filename,
            seen.size,
            seen.mtime_ns if read_from_ns - seen.mtime_ns > RACY_NS else _RACY,
            rules.of(refusal),
            orjson.dumps(refusal).decode() if refusal else "",
        )
        for filename, seen, refusal in read
        if _is_text(filename)
    ]
    connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)


def _is_text(filename: str) -> bool:
    """Tell whether a name is UTF-8 on the disk."""
    try:
        filename.encode()
    except UnicodeEncodeError:
        return False
    return True


def forget(connection: sqlite3.Connection, subdir: str, filenames: Sequence[str]) -> None:
    """Drop files that are gone."""
    rows = [(subdir, filename) for filename in filenames]
    connection.executemany("DELETE FROM files WHERE subdir = ? AND filename = ?", rows)


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be done about the files of a folder."""

    #: To be read: subdir → file names. ``changed`` are those among them that were read before.
    read: dict[str, list[str]]
    changed: frozenset[tuple[str, str]]
    gone: dict[str, list[str]]
    #: Refused when they were read, and unchanged since: (subdir, file name, refusal).
    still_refused: tuple[tuple[str, str, Refusal], ...]
    unchanged: int

    @property
    def count(self) -> int:
        """The number of files to be read."""
        return sum(map(len, self.read.values()))


def compare(folder: ChannelFolder, ledger: Ledger, rules: Rules, *, all_subdirs: bool) -> Changes:
    """Compare what is there with what was read. Pure.

    Without ``all_subdirs`` only those in ``folder`` are looked at, and files of others are not taken for gone.
    """
    read: dict[str, list[str]] = {}
    changed = []
    refused = []
    unchanged = 0
    taken_by, refused_by = rules.of(None), rules.of(Refusal("", ""))
    for subdir, files in folder.subdirs.items():
        known = ledger.get(subdir, {})
        for filename, seen in files.items():
            entry = known.get(filename)
            if entry is None or entry[:2] != (seen, refused_by if entry.refusal else taken_by):
                read.setdefault(subdir, []).append(filename)
                if entry is not None:
                    changed.append((subdir, filename))
            else:
                unchanged += 1
                if entry.refusal:
                    refused.append((subdir, filename, Refusal(**orjson.loads(entry.refusal))))
    looked_at = {**ledger, **folder.subdirs} if all_subdirs else folder.subdirs
    gone = {
        subdir: names
        for subdir in looked_at
        if (names := sorted(ledger.get(subdir, {}).keys() - folder.subdirs.get(subdir, {}).keys()))
    }
    return Changes(read, frozenset(changed), gone, tuple(refused), unchanged)
