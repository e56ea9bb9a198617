"""What a folder's ``.channeld/`` remembers, as one SQLite file: the packages, and the documents drawn of them.

It is a cache: whatever of it is lost is made again from the folder. So it is no catalog, and has no history: a file of
another version of the program, or a damaged one, is thrown away. Two promises it keeps all the same: a process that is
killed loses nothing that was committed; after the machine lost its power the file is whole, though perhaps older
(write-ahead log, ``synchronous=NORMAL``: SQLite waits for the disk now and then, and not with every commit).

Only the main process writes. Workers open the file to read, once what they need is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from channeld.errors import Unavailable

FILE: Final = "index.sqlite"
#: Of the tables below. A file of another version is not read.
VERSION: Final = 1

_TABLES: Final = """
-- Every package file that was read: what it was then, by which rules it was judged, and why it was refused ("" if not).
-- mtime_ns is -1 for one that was read so soon after its last change that another change might have left the same time.
CREATE TABLE files (
    subdir TEXT, filename TEXT, size INTEGER, mtime_ns INTEGER, rules TEXT, refusal TEXT,
    PRIMARY KEY (subdir, filename)
) WITHOUT ROWID;
-- Those that are in the index. record, run_exports and facts are canonical JSON.
CREATE TABLE packages (
    subdir TEXT, section TEXT, filename TEXT, name TEXT, version TEXT, timestamp_ms INTEGER, sha256 TEXT,
    indexed_ms INTEGER, record BLOB, run_exports BLOB, facts BLOB,
    UNIQUE (subdir, section, filename)
);
CREATE INDEX packages_by_name ON packages (name);
-- When files came in first that are not there any more, or with other bytes.
CREATE TABLE times (
    subdir TEXT, filename TEXT, sha256 TEXT, indexed_ms INTEGER,
    PRIMARY KEY (subdir, filename, sha256)
) WITHOUT ROWID;
-- How often the packages of a subdir changed, when they last did; of what its documents were drawn, and for pages what
-- there is of them (JSON). The subdir "" has the documents of the channel as a whole.
CREATE TABLE subdirs (
    subdir TEXT PRIMARY KEY, revision INTEGER, changed_ms INTEGER, drawn TEXT, summary TEXT
) WITHOUT ROWID;
-- Documents as they were written; paths are relative to the folder.
CREATE TABLE documents (path TEXT PRIMARY KEY, digest TEXT, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID;
-- Of a document's frame: where each page lies that it is made of (see ``frames``).
CREATE TABLE frames (path TEXT PRIMARY KEY, pages BLOB) WITHOUT ROWID;
-- Since when shards are listed by no index.
CREATE TABLE retired (path TEXT PRIMARY KEY, since_ms INTEGER) WITHOUT ROWID;
"""

#: Rows have 1 to 2 kB: on pages of 4 kB a quarter of the file would be empty.
_PAGE: Final = 16 * 1024
#: Milliseconds that a reader and the writer wait for each other, where the file system has no write-ahead log.
_PATIENCE_MS: Final = 20_000
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(eq=False)
class StateDamaged(Unavailable):
    """What is remembered of a folder cannot be read any more."""

    path: str

    advice: ClassVar[str] = "Delete the file; the next run reads every package again."

    def sentence(self) -> str:
        return f"The file {self.path} is damaged."


@dataclass(eq=False)
class StateUnavailable(Unavailable):
    """What is to be remembered of a folder cannot be written, or not be read now."""

    path: str
    problem: str

    advice: ClassVar[str] = "What was done so far is kept; look at the disk, and run the command again."

    def sentence(self) -> str:
        return f"The file {self.path} cannot be used: {self.problem}."


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into ours."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise StateDamaged(str(path)) from error
        raise StateUnavailable(str(path), str(error)) from error


def is_there(path: Path) -> bool:
    """Tell whether an earlier run left something that this program understands.

    Raises:
        StateDamaged, StateUnavailable
    """
    if not path.exists():
        return False
    with opened(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool(version == VERSION)


def create(path: Path) -> None:
    """Make the file, empty, in the place of whatever is there.

    Raises:
        StateUnavailable
    """
    forget(path)
    with opened(path) as connection:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(f"BEGIN; {_TABLES}; PRAGMA user_version={VERSION}; COMMIT")


def forget(path: Path) -> None:
    """Remove the file, and what SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file; transactions are begun and ended in so many words.

    Raises:
        StateDamaged, StateUnavailable: also for what goes wrong with the connection inside the block.
    """
    with errors_of(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_MS / 1000)
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection
        finally:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all or nothing of what is written inside the block."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
