"""What worker processes draw of a channel as a whole: the entries of channeldata.json, a part of the names each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from channeld.cold import state
from channeld.formats.channeldata import EncodedFile, encoded_entry, newest_of_versions

#: Subdir, file name, version, time of the build, record, run_exports, facts; the last three are JSON.
_Row = tuple[str, str, str, int, bytes, bytes, bytes]


def parts(connection: sqlite3.Connection, count: int) -> list[tuple[str, str]]:
    """Divide the names of all packages: from each first one up to the next part's; "" is the end."""
    (total,) = connection.execute("SELECT count(*) FROM packages").fetchone()
    query = "SELECT name FROM packages ORDER BY name LIMIT 1 OFFSET ?"
    found = {name for part in range(1, count) for name in connection.execute(query, (total * part // count,))}
    firsts = ["", *sorted(name for (name,) in found)]
    return list(zip(firsts, [*firsts[1:], ""], strict=True))


def draw_channeldata(state_file: Path, first: str, end: str) -> list[bytes]:
    """Return the entries of the names from one up to another, in their order.

    Raises:
        StateDamaged, StateUnavailable
    """
    query = (
        "SELECT name, subdir, filename, version, timestamp_ms, record, run_exports, facts "
        "FROM packages WHERE name >= ? AND (name < ? OR ? = '') ORDER BY name"
    )
    with state.opened(state_file) as connection:
        rows = connection.execute(query, (first, end, end))
        return [
            encoded_entry(name, _references(row[1:] for row in files))
            for name, files in groupby(rows, key=itemgetter(0))
        ]


def _references(rows: Iterable[_Row]) -> Iterator[EncodedFile]:
    """Choose the files that speak for their package."""
    files = {(row[0], row[1]): row for row in rows}
    for subdir, filename in newest_of_versions(row[:4] for row in files.values()):
        *_, record, run_exports, facts = files[subdir, filename]
        yield subdir, record, run_exports, facts
