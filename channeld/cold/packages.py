"""The packages that are in a folder's index, in the order in which documents list them."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Final, NamedTuple

#: Every section that a package may stand in, in the order of repodata.json.
SECTIONS: Final = ("packages", "packages.conda", "v3.conda", "v3.tar.bz2")


class Package(NamedTuple):
    """What the index says of one file. The columns of the table ``packages``, in their order."""

    subdir: str
    section: str
    filename: str
    name: str
    version: str
    #: The build's own time, ms; 0 where it gives none.
    timestamp_ms: int
    sha256: str
    #: When it came into the index first (CEP 47), ms.
    indexed_ms: int
    #: Canonical JSON of its entry in repodata.json, with ``indexed_timestamp``; of its run_exports; of what
    #: channeldata.json takes from it (``formats.archive.facts``).
    record: bytes
    run_exports: bytes
    facts: bytes


_INSERT: Final = "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# without the sections the index of the table would be of no use
_FIND: Final = """
SELECT * FROM packages
WHERE subdir = ? AND filename = ? AND section IN ('packages', 'packages.conda', 'v3.conda', 'v3.tar.bz2')
"""
_DELETE: Final = "DELETE FROM packages WHERE subdir = ? AND section = ? AND filename = ?"
_LIST: Final = """
SELECT * FROM packages
WHERE subdir = ? AND section = ? AND filename >= ? AND filename < ? ORDER BY filename
"""
_RECORDS: Final = "SELECT filename, record FROM packages WHERE subdir = ? AND section = ? ORDER BY filename"
_LAST: Final = "\U0010ffff"
_BY_FILENAME: Final = attrgetter("filename")


def add(connection: sqlite3.Connection, packages: Iterable[tuple[object, ...]]) -> None:
    """Put packages into the index whose files are not in it."""
    connection.executemany(_INSERT, packages)


def find(connection: sqlite3.Connection, subdir: str, filename: str) -> Package | None:
    """Return what the index has of a file."""
    row = connection.execute(_FIND, (subdir, filename)).fetchone()
    return Package._make(row) if row else None


def remove(connection: sqlite3.Connection, package: Package) -> None:
    """Take a package out of the index; its time of entry is kept, since the same file may come back."""
    place = (package.subdir, package.filename, package.sha256, package.indexed_ms)
    connection.execute("INSERT OR IGNORE INTO times VALUES (?, ?, ?, ?)", place)
    connection.execute(_DELETE, (package.subdir, package.section, package.filename))


def times(connection: sqlite3.Connection, subdir: str) -> dict[str, dict[str, int | None]]:
    """Return when bytes came in first that files of a subdir once had: file name → sha256 → ms."""
    found: dict[str, dict[str, int | None]] = {}
    query = "SELECT filename, sha256, indexed_ms FROM times WHERE subdir = ?"
    for filename, sha256, indexed_ms in connection.execute(query, (subdir,)):
        found.setdefault(filename, {})[sha256] = indexed_ms
    return found


def listed(
    connection: sqlite3.Connection, subdir: str, sections: Sequence[str] = SECTIONS, name: str = ""
) -> Iterator[Package]:
    """Return the packages of some sections by file name: all, or those whose file names begin with a name and "-"."""
    bounds = (f"{name}-", f"{name}.") if name else ("", _LAST)  # "." comes next after "-"
    found = []
    for section in sections:
        rows = map(Package._make, connection.execute(_LIST, (subdir, section, *bounds)))
        found += [chain([first], rows) for first in islice(rows, 1)]
    return found[0] if len(found) == 1 else heapq.merge(*found, key=_BY_FILENAME)


def records(connection: sqlite3.Connection, subdir: str, section: str) -> Iterator[tuple[str, bytes]]:
    """Yield file name and record of the packages of a section, by file name."""
    yield from connection.execute(_RECORDS, (subdir, section))


def by_name(packages: Iterable[Package]) -> Iterator[tuple[str, list[Package]]]:
    """Gather the files of each package name, given all files by file name. Pure.

    Files of one name are adjacent, but for names that go on after a dash: between those of ``r`` may stand those of
    ``r-base``. So few names are open at a time.
    """
    opened: list[tuple[str, str, list[Package]]] = []
    for package in packages:
        while opened and not package.filename.startswith(opened[-1][0]):
            _, name, files = opened.pop()
            yield name, files
        for _, name, files in opened:
            if name == package.name:
                files.append(package)
                break
        else:
            opened.append((f"{package.name}-", package.name, [package]))
    for _, name, files in reversed(opened):
        yield name, files
