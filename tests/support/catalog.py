"""Short ways to put something into a catalog, and to look at what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels, files, labels, leases, relabelling, viewrows, views
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel, ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.files import Added, Artifact
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection, StoredFile
from channeld.catalog.viewrows import ViewRow
from channeld.catalog.views import DirtyWork, Flip, ViewKey

T = TypeVar("T")

NOW = 1_700_000_000_000
CHANNEL = "chan"

#: (label, subdir, file name; the last is "" for the whole view)
Mark = tuple[str, str, str]


def actor(now_ms: int = NOW, *, reason: str = "") -> Actor:
    """Return somebody who acts at a time."""
    return Actor("tester", "local", now_ms, reason)


def artifact(
    name: str = "alpha", version: str = "1.0", build: str = "0", *, subdir: str = "noarch", content: str = ""
) -> Artifact:
    """Return what the catalog is told of a package; another ``content`` means other bytes under the same name."""
    filename = f"{name}-{version}-{build}.conda"
    text = f"{subdir}/{filename} {content}"
    return Artifact(
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        md5=hashlib.md5(text.encode()).hexdigest(),
        size=len(text),
        filename=filename,
        subdir=subdir,
        name=name,
        version=version,
        build=build,
        build_number=0,
        timestamp_ms=0,
        section="packages.conda",
        record=f'{{"name":"{name}"}}'.encode(),
        run_exports=b"{}",
    )


def make_channel(database: Database, name: str = CHANNEL, settings: ChannelSettings | None = None) -> Channel:
    """Create a channel."""
    wanted = settings or ChannelSettings()
    return database.write_now(lambda connection: channels.create(connection, name, wanted, actor()))


def add(
    database: Database,
    package: Artifact,
    *label_names: str,
    channel: str = CHANNEL,
    now_ms: int = NOW,
    indexed_ms: int | None = None,
) -> Added:
    """Add an artifact to a channel, under ``main`` if no label is given."""
    return database.write_now(
        lambda connection: files.add(
            connection, channel, package, label_names, actor(now_ms), indexed_ms=indexed_ms
        )
    )


def relabel(
    connection: Connection,
    selected: Selection,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    channel: str = CHANNEL,
    by: Actor | None = None,
) -> list[StoredFile]:
    """Put labels on files and take them off; return the files that changed."""
    asked = Relabelling((selected,), tuple(add), tuple(remove))
    changes, _ = relabelling.apply(connection, channel, asked, by or actor(), lambda changes: None)
    return [change.file for change in changes]


def view_key(
    connection: Connection, label: str = "main", subdir: str = "noarch", channel: str = CHANNEL
) -> ViewKey:
    """Name a view."""
    found = channels.get(connection, channel)
    row = labels.get(connection, found, label)
    return ViewKey(found.id, row.id, subdir, channel, label, found.settings.kind == "standard")


def rows(
    database: Database,
    label: str = "main",
    subdir: str = "noarch",
    channel: str = CHANNEL,
    filenames: Collection[str] | None = None,
) -> list[ViewRow]:
    """Return what a view knows, of all files or of some."""
    wanted = None if filenames is None else frozenset(filenames)
    return database.read_now(
        lambda connection: list(
            viewrows.view_rows(connection, view_key(connection, label, subdir, channel), wanted)
        )
    )


def shown(
    database: Database, label: str = "main", subdir: str = "noarch", channel: str = CHANNEL
) -> list[str]:
    """List the files that a view shows."""
    return [row.filename for row in rows(database, label, subdir, channel) if row.shown]


def entered(
    database: Database, label: str = "main", subdir: str = "noarch", channel: str = CHANNEL
) -> dict[str, int]:
    """Return when each file that a view shows came into it."""
    return {row.filename: row.indexed_ms for row in rows(database, label, subdir, channel) if row.shown}


def revision_of(database: Database, channel: str = CHANNEL) -> int:
    """Return a channel's revision."""
    return database.read_now(lambda connection: channels.get(connection, channel)).revision


def marks(database: Database) -> list[Mark]:
    """List what is dirty, sorted."""
    query = sa.select(t.labels.c.name, t.dirty.c.subdir, t.dirty.c.filename).join(
        t.labels, t.labels.c.id == t.dirty.c.label_id
    )
    return database.read_now(lambda connection: sorted(tuple(row) for row in connection.execute(query)))


def wipe_marks(database: Database) -> None:
    """Make everything clean, without rendering."""
    database.write_now(lambda connection: connection.execute(t.dirty.delete()))


def actions(database: Database) -> list[tuple[str, str, str, int]]:
    """List the audit rows, oldest first, as (action, channel, subject, revision)."""
    table = t.audit
    query = sa.select(table.c.action, table.c.channel, table.c.subject, table.c.revision).order_by(table.c.id)
    return database.read_now(lambda connection: [tuple(row) for row in connection.execute(query)])


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""

    def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in t.metadata.tables.items()
        }

    return database.read_now(everything)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a change did to the books of a channel."""

    #: By how much the revision grew.
    revisions: int
    #: What became dirty, sorted.
    marks: list[Mark]
    #: What was written down, as (action, subject).
    actions: list[tuple[str, str]]


UNCHANGED = Observed(0, [], [])


def observe(database: Database, work: Callable[[Connection], object], channel: str = CHANNEL) -> Observed:
    """Run a change and tell what it did."""
    wipe_marks(database)
    revision, written = revision_of(database, channel), len(actions(database))
    database.write_now(work)
    new = actions(database)[written:]
    return Observed(
        revision_of(database, channel) - revision, marks(database), [(row[0], row[2]) for row in new]
    )


def take_lease(database: Database, holder: str = "indexer-1", now_ms: int = NOW) -> leases.Lease:
    """Take the indexer's lease for a minute."""
    lease = database.write_now(
        lambda connection: leases.take(connection, leases.INDEXER, holder, now_ms, 60_000)
    )
    assert lease is not None
    return lease


def read_work(database: Database, channel: str = CHANNEL) -> DirtyWork | None:
    """Read what is dirty in a channel."""
    return database.read_now(
        lambda connection: views.dirty_work(connection, channels.get(connection, channel).id)
    )


def flips_of(database: Database, work: DirtyWork, documents: bytes = b"{}") -> list[Flip]:
    """Return a flip of every view of the work, from the generation it is at."""

    def read(connection: Connection) -> list[Flip]:
        found = [(one.key, views.current(connection, one.key.label_id, one.key.subdir)) for one in work.views]
        return [Flip(key, last.number if last else 0, documents) for key, last in found]

    return database.read_now(read)


def publish(database: Database, channel: str = CHANNEL, now_ms: int = NOW) -> DirtyWork | None:
    """Publish what is dirty in a channel, as the indexer does; return what that was."""
    lease = take_lease(database, now_ms=now_ms)
    work = read_work(database, channel)
    if work is not None:
        flip(database, work, flips_of(database, work), lease.epoch, now_ms)
    return work


def flip(
    database: Database, work: DirtyWork, flips: Sequence[Flip], epoch: int, now_ms: int = NOW
) -> dict[ViewKey, int]:
    """Flip in a transaction of its own."""
    return database.write_now(lambda connection: views.flip(connection, work, flips, epoch, now_ms))


def generation_of(
    database: Database, label: str = "main", subdir: str = "noarch", channel: str = CHANNEL
) -> views.Generation | None:
    """Return the generation that a view is at."""

    def find(connection: Connection) -> views.Generation | None:
        return views.current(connection, view_key(connection, label, subdir, channel).label_id, subdir)

    return database.read_now(find)
