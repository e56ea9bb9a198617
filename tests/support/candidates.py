"""A staging channel in a catalog: upload, delete, and look what could be promoted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from channeld.catalog import candidates, channels, files, selection
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.files import Added, Artifact
from channeld.catalog.selection import StoredFile
from tests.support.catalog import NOW, artifact, make_channel, rows, view_key

STAGING = "staging"

#: Three packages of one name.
ONE, TWO, THREE = (artifact(content=content) for content in ("1", "2", "3"))
FILE = ONE.filename
#: What the tests call their bytes.
NAMES = {ONE.sha256: "one", TWO.sha256: "two", THREE.sha256: "three"}


@dataclass(frozen=True, slots=True)
class Promotable:
    """Something that a copy could take: which bytes, under which labels, and whether it is hidden."""

    name: str
    labels: tuple[str, ...]
    hidden: bool = False


def make_staging(database: Database, *packages: Artifact) -> Database:
    """Create a staging channel with some candidates under ``main``, each a millisecond after the last."""
    make_channel(database, STAGING, ChannelSettings(kind="staging"))
    for number, package in enumerate(packages):
        stage(database, package, now_ms=NOW + number)
    return database


def who(name: str, now_ms: int = NOW) -> Actor:
    """Return somebody who acts at a time."""
    return Actor(name, "local", now_ms)


def stage(
    database: Database, package: Artifact, *label_names: str, by: str = "ci", now_ms: int = NOW
) -> Added:
    """Upload to the staging channel, under ``main`` if no label is given."""
    return database.write_now(lambda c: files.add(c, STAGING, package, label_names, who(by, now_ms)))


def hide(database: Database, package: Artifact, *, by: str = "ci", now_ms: int = NOW) -> StoredFile:
    """Delete a candidate."""
    return database.write_now(
        lambda c: files.delete(
            c, STAGING, package.subdir, package.filename, who(by, now_ms), sha256=package.sha256
        )
    )


def promote(connection: Connection, package: Artifact, now_ms: int = NOW) -> None:
    """Remove a candidate as a copy does that has succeeded; one that is not there is none."""
    channel = channels.lock(connection, [STAGING])[STAGING]
    for one in candidates.candidates_for_copy(connection, channel, package.subdir, package.filename):
        if one.file.sha256 == package.sha256:
            candidates.remove_candidate(connection, channel, one.file, who("copy", now_ms))


def expire(connection: Connection, before_ms: int, channel: str = STAGING) -> int:
    """Remove what was uploaded before a time."""
    ids = candidates.expired(connection, channels.get(connection, channel), before_ms)
    return candidates.expire(connection, channel, ids, before_ms, who("channeld", before_ms))


def promotable(database: Database, subdir: str = "noarch", filename: str = FILE) -> list[Promotable]:
    """List what could be promoted under a name."""

    def read(connection: Connection) -> list[Promotable]:
        channel = channels.get(connection, STAGING)
        return [
            Promotable(NAMES.get(one.file.sha256, one.file.sha256), one.labels, one.hidden)
            for one in candidates.candidates_for_copy(connection, channel, subdir, filename)
        ]

    return database.read_now(read)


def listed(database: Database, label: str = "main") -> str:
    """Say which candidate the index lists; "" for none. A download gets the same, or one that is not listed at all."""

    def download(connection: Connection) -> StoredFile | None:
        channel = channels.get(connection, STAGING)
        label_id = view_key(connection, label, channel=STAGING).label_id
        return selection.newest(connection, channel, "noarch", FILE, label_id)

    shown = [row.artifact_id for row in rows(database, label, channel=STAGING) if row.shown]
    found = database.read_now(download)
    if not shown:
        return ""
    assert found is not None
    assert shown == [found.artifact_id]
    return NAMES[found.sha256]
