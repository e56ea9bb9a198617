"""What a folder's state remembers beside the catalog: which files were read, and which documents were written.

Both tables lie in the folder's own SQLite catalog, so that a batch of files and the memory of having read them are one
transaction. They are no part of a server's catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog.manyrows import chunks, insert_many
from channeld.cold.reading import Refusal
from channeld.cold.scan import ChannelFolder, Seen

_metadata = sa.MetaData()

_files = sa.Table(
    "folder_files",
    _metadata,
    sa.Column("subdir", sa.Text, primary_key=True),
    sa.Column("filename", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    #: -1: read so soon after its last change that another change might have left the same time.
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    #: By which rules it was judged; other ones may judge it differently.
    sa.Column("rules", sa.Text, nullable=False),
    #: Why it is not in the index, as JSON; "" for a file that is.
    sa.Column("refusal", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

_documents = sa.Table(
    "folder_documents",
    _metadata,
    #: Relative to the folder.
    sa.Column("path", sa.Text, primary_key=True),
    #: Of what was written: tells whether it has to be written again.
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

_retired = sa.Table(
    "folder_retired",
    _metadata,
    #: Of a shard that no index lists any more, relative to the folder, and since when (ms).
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("since_ms", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

_FILE: Final = ("subdir", "filename", "size", "mtime_ns", "rules", "refusal")
_DOCUMENT: Final = ("path", "digest", "size", "mtime_ns")

#: A change within this many nanoseconds may leave the same time: 2 s on FAT, 1 s on old NFS and ext3.
RACY_NS: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What a judgement rests on. What was taken stays so under the same naming; a refusal also ends with a version."""

    naming: str
    version: str

    def of(self, refusal: Refusal | None) -> str:
        """Write down under which rules a file was taken or refused."""
        return self.naming if refusal is None else f"{self.naming} {self.version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when it was read."""

    seen: Seen
    rules: str
    refusal: Refusal | None


#: Subdir → file name → entry.
Ledger = dict[str, dict[str, Entry]]


@dataclass(frozen=True, slots=True)
class Written:
    """A document as it was written."""

    digest: str
    size: int
    mtime_ns: int


def create_tables(connection: Connection) -> None:
    """Make the tables, where they are not there."""
    _metadata.create_all(connection)


def load(connection: Connection) -> Ledger:
    """Read everything that is remembered of files."""
    ledger: Ledger = {}
    for subdir, filename, size, mtime_ns, rules, refusal in connection.execute(sa.select(_files)):
        refused = Refusal(**orjson.loads(refusal)) if refusal else None
        ledger.setdefault(subdir, {})[filename] = Entry(Seen(size, mtime_ns), rules, refused)
    return ledger


def remember(
    connection: Connection,
    read: Iterable[tuple[str, str, Seen, Refusal | None]],
    rules: Rules,
    read_from_ns: int,
) -> None:
    """Note files as read: subdir, name, what was seen, and the refusal if it was refused.

    ``read_from_ns`` is when the listing was made: a time close to it is not trusted next time.
    """
    rows = [
        (
            subdir,
            filename,
            seen.size,
            seen.mtime_ns if read_from_ns - seen.mtime_ns > RACY_NS else -1,
            rules.of(refusal),
            orjson.dumps(refusal).decode() if refusal else "",
        )
        for subdir, filename, seen, refusal in read
    ]
    fields = ", ".join(f"{field} = excluded.{field}" for field in _FILE[2:])
    insert_many(connection, _files, _FILE, rows, f"ON CONFLICT (subdir, filename) DO UPDATE SET {fields}")


def forget(connection: Connection, subdir: str, filenames: Sequence[str]) -> None:
    """Drop files that are gone."""
    for chunk in chunks(filenames):
        connection.execute(_files.delete().where(_files.c.subdir == subdir, _files.c.filename.in_(chunk)))


def written(connection: Connection) -> dict[str, Written]:
    """Return what is remembered of documents, by path."""
    return {
        row.path: Written(row.digest, row.size, row.mtime_ns)
        for row in connection.execute(sa.select(_documents))
    }


def remember_written(connection: Connection, documents: dict[str, Written]) -> None:
    """Note documents as written."""
    rows = [(path, one.digest, one.size, one.mtime_ns) for path, one in documents.items()]
    fields = ", ".join(f"{field} = excluded.{field}" for field in _DOCUMENT[1:])
    insert_many(connection, _documents, _DOCUMENT, rows, f"ON CONFLICT (path) DO UPDATE SET {fields}")


def retire(connection: Connection, paths: Sequence[str], now_ms: int) -> None:
    """Note since when no index lists some shards; the first time counts."""
    rows = [(path, now_ms) for path in paths]
    insert_many(connection, _retired, ("path", "since_ms"), rows, "ON CONFLICT (path) DO NOTHING")


def retired(connection: Connection) -> dict[str, int]:
    """Return since when (ms) shards are listed by no index, by path."""
    return {row.path: row.since_ms for row in connection.execute(sa.select(_retired))}


def forget_retired(connection: Connection, paths: Sequence[str]) -> None:
    """Drop shards that are gone, or are listed again."""
    for chunk in chunks(paths):
        connection.execute(_retired.delete().where(_retired.c.path.in_(chunk)))


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be done about the files of a folder."""

    #: To be read: subdir → file names. ``changed`` are those among them that were in the index with other bytes.
    read: dict[str, list[str]]
    changed: frozenset[tuple[str, str]]
    gone: dict[str, list[str]]
    #: Refused when they were read, and unchanged since: (subdir, file name, refusal).
    still_refused: tuple[tuple[str, str, Refusal], ...]
    unchanged: int


def compare(folder: ChannelFolder, ledger: Ledger, rules: Rules, *, all_subdirs: bool) -> Changes:
    """Compare what is there with what was read. Pure.

    Without ``all_subdirs`` only those in ``folder`` are looked at, and files of others are not taken for gone.
    """
    read: dict[str, list[str]] = {}
    changed = []
    refused = []
    unchanged = 0
    for subdir, files in folder.subdirs.items():
        known = ledger.get(subdir, {})
        for filename, seen in files.items():
            entry = known.get(filename)
            if entry is None or entry.seen != seen or entry.rules != rules.of(entry.refusal):
                read.setdefault(subdir, []).append(filename)
                if entry is not None:
                    changed.append((subdir, filename))
            else:
                unchanged += 1
                if entry.refusal is not None:
                    refused.append((subdir, filename, entry.refusal))
    looked_at = {**ledger, **folder.subdirs} if all_subdirs else folder.subdirs
    gone = {
        subdir: names
        for subdir in looked_at
        if (names := sorted(ledger.get(subdir, {}).keys() - folder.subdirs.get(subdir, {}).keys()))
    }
    return Changes(read, frozenset(changed), gone, tuple(refused), unchanged)
