"""What worker processes draw of a channel as a whole: channeldata.json's entries and the latest of them, in parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from channeld.cold import state
from channeld.formats.channeldata import (
    EncodedFile,
    ReferenceFile,
    encode_entry,
    newest_of_versions,
    package_entry,
)
from channeld.formats.rss import Entry, latest

#: Subdir, file name, version, time of the build, record, run_exports, facts; the last three are JSON.
_Row = tuple[str, str, str, int, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class ChanneldataPart:
    """The entries of some names, in their order, and those of them that may be in the feed."""

    entries: list[bytes]
    latest: list[tuple[str, Entry]]


def parts(connection: sqlite3.Connection, count: int) -> list[tuple[str, str]]:
    """Divide the names of all packages: from each first one up to the next part's; "" is the end."""
    (total,) = connection.execute("SELECT count(*) FROM packages").fetchone()
    query = "SELECT name FROM packages ORDER BY name LIMIT 1 OFFSET ?"
    found = {name for part in range(1, count) for name in connection.execute(query, (total * part // count,))}
    firsts = ["", *sorted(name for (name,) in found)]
    return list(zip(firsts, [*firsts[1:], ""], strict=True))


def draw_channeldata(state_file: Path, first: str, end: str) -> ChanneldataPart:
    """Write the entries of the names from one up to another.

    Raises:
        StateDamaged, StateUnavailable
    """
    entries: list[bytes] = []

    def drawn() -> Iterator[tuple[str, Entry]]:
        for name, package in _packages(connection, first, end):
            entries.append(encode_entry(name, package))
            yield name, package

    with state.opened(state_file) as connection:
        return ChanneldataPart(entries, latest(drawn()))


def _packages(connection: sqlite3.Connection, first: str, end: str) -> Iterator[tuple[str, Entry]]:
    query = (
        "SELECT name, subdir, filename, version, timestamp_ms, record, run_exports, facts "
        "FROM packages WHERE name >= ? AND (name < ? OR ? = '') ORDER BY name"
    )
    for name, files in groupby(connection.execute(query, (first, end, end)), key=itemgetter(0)):
        references = _references(row[1:] for row in files)
        yield name, package_entry(map(ReferenceFile.decode, references))


def _references(rows: Iterable[_Row]) -> Iterator[EncodedFile]:
    """Choose the files that speak for their package."""
    files = {(row[0], row[1]): row for row in rows}
    for subdir, filename in newest_of_versions(row[:4] for row in files.values()):
        *_, record, run_exports, facts = files[subdir, filename]
        yield subdir, record, run_exports, facts
