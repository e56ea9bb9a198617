"""What is remembered of documents: how they lie there, and of which state of the packages they were drawn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from channeld.cold.shardfolder import Retirement
from channeld.cold.staging import Written


class Subdir(NamedTuple):
    """A subdir of the index; "" is the channel as a whole."""

    #: How often its packages changed.
    revision: int = 0
    #: When they last did, ms.
    changed_ms: int = 0
    #: What its documents were drawn of; see ``documents``.
    drawn: str = ""
    #: What pages say of it, JSON.
    summary: str = ""


def subdirs(connection: sqlite3.Connection) -> dict[str, Subdir]:
    """Return what is known of each subdir."""
    return {row[0]: Subdir._make(row[1:]) for row in connection.execute("SELECT * FROM subdirs")}


def note_change(connection: sqlite3.Connection, subdir: str, now_ms: int) -> None:
    """Note that packages of a subdir changed."""
    connection.execute(
        "INSERT INTO subdirs VALUES (?, 1, ?, '', '') "
        "ON CONFLICT (subdir) DO UPDATE SET revision = revision + 1, changed_ms = excluded.changed_ms",
        (subdir, now_ms),
    )


def note_drawn(connection: sqlite3.Connection, subdir: str, drawn: str, summary: str) -> None:
    """Note of what the documents of a subdir were drawn."""
    connection.execute(
        "INSERT INTO subdirs VALUES (?, 0, 0, ?, ?) "
        "ON CONFLICT (subdir) DO UPDATE SET drawn = excluded.drawn, summary = excluded.summary",
        (subdir, drawn, summary),
    )


def written(connection: sqlite3.Connection) -> dict[str, Written]:
    """Return what is remembered of documents, by path."""
    return {row[0]: Written._make(row[1:]) for row in connection.execute("SELECT * FROM documents")}


def note_written(connection: sqlite3.Connection, documents: Mapping[str, Written]) -> None:
    """Note documents as written."""
    rows = [(path, *one) for path, one in documents.items()]
    connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", rows)


def pages(connection: sqlite3.Connection, path: str) -> bytes:
    """Return where the pages of a frame lie; nothing for one that is not known."""
    row = connection.execute("SELECT pages FROM frames WHERE path = ?", (path,)).fetchone()
    return row[0] if row else b""


def note_pages(connection: sqlite3.Connection, frames: Iterable[tuple[str, bytes]]) -> None:
    """Note where the pages of frames lie."""
    connection.executemany("INSERT OR REPLACE INTO frames VALUES (?, ?)", frames)


def retirement(connection: sqlite3.Connection) -> Retirement:
    """Return what is known of shards that no index lists."""
    return Retirement(dict(connection.execute("SELECT path, since_ms FROM retired")))


def note_retirement(connection: sqlite3.Connection, retirement: Retirement, now_ms: int) -> None:
    """Note since when shards are listed by no index; the first time counts."""
    rows = [(path, now_ms) for path in retirement.unlisted]
    connection.executemany("INSERT OR IGNORE INTO retired VALUES (?, ?)", rows)
    again = [(path,) for path in (*retirement.listed_again, *retirement.over)]
    connection.executemany("DELETE FROM retired WHERE path = ?", again)
