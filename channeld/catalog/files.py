"""Files: ``(channel, subdir, filename) → artifact``.

Every function here that changes something is one step of a transaction: it locks the channel, gives it the next
revision, marks the views it touches as dirty and appends an audit row, or changes nothing at all.

One name, one content: a second artifact under a taken name is a conflict, also after the first one was deleted,
because clients and caches hold the first one's bytes for ever. Only a staging channel keeps several candidates under
one name, told apart by their sha256.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from channeld.catalog import audit, channels, labels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.rejections import FileConflict
from channeld.catalog.selection import StoredFile, by_id, candidates, get, label_names_of
from channeld.catalog.tagging import activate, after_labels, put_first, relabel, touch


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of the bytes of one package file. All of it follows from the bytes."""

    sha256: str
    md5: str
    size: int
    filename: str
    subdir: str
    name: str
    version: str
    build: str
    build_number: int
    timestamp_ms: int
    section: str
    #: Canonical JSON of the repodata record, without ``indexed_timestamp``.
    record: bytes
    #: Canonical JSON of its run_exports.
    run_exports: bytes
    #: Canonical JSON of what channeldata.json takes from the archive beyond the record.
    facts: bytes = b'{"about":{},"source":{}}'


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an upload: a new file, or one that was there with the same bytes."""

    outcome: Literal["created", "unchanged", "relabelled", "restored"]
    file: StoredFile
    #: The revision that shows it; 0 when nothing changed.
    revision: int


# Statements of every upload are made once: making one costs SQLAlchemy as much as running it.
_BY_HASH = (
    sa.select(t.artifacts.c.id, t.artifacts.c.swept_ms)
    .where(t.artifacts.c.sha256 == sa.bindparam("sha256"))
    .with_for_update(read=True, key_share=True)
)
_STORE = {
    name: insert(t.artifacts).on_conflict_do_nothing(index_elements=["sha256"]).returning(t.artifacts.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_STORE_FACTS = t.channel_facts.insert()
_INSERT_FILE = t.files.insert().returning(t.files.c.id)
_COLUMNS = tuple(field for field in Artifact.__slots__ if field != "facts")


def store_artifact(connection: Connection, artifact: Artifact, now_ms: int) -> int:
    """Make sure the artifact has its row, and return the row's id. Its bytes must be stored already.

    The row cannot be swept before the transaction ends (see ``sweeping``).
    """
    wanted = {"sha256": artifact.sha256}
    there = connection.execute(_BY_HASH, wanted).first()
    if there is None:
        values = {**{field: getattr(artifact, field) for field in _COLUMNS}, "stored_ms": now_ms}
        new_id = connection.execute(_STORE[connection.dialect.name], values).scalar()
        if new_id is not None:
            connection.execute(_STORE_FACTS, {"artifact_id": new_id, "facts": artifact.facts})
            return int(new_id)
        there = connection.execute(
            _BY_HASH, wanted
        ).one()  # another transaction stored the same bytes just now
    if there.swept_ms is not None:
        back = t.artifacts.update().where(t.artifacts.c.id == there.id)
        connection.execute(back.values(swept_ms=None, stored_ms=now_ms))
    return int(there.id)


def add(
    connection: Connection,
    channel_name: str,
    artifact: Artifact,
    label_names: Sequence[str],
    actor: Actor,
    *,
    indexed_ms: int | None = None,
) -> Added:
    """Put an artifact into a channel under labels. The same again changes nothing.

    ``indexed_ms`` seeds the time of entry for imports; otherwise it is now (CEP 47).

    Raises:
        ChannelMissing, LabelLocked, BadName: as they say.
        FileConflict: other bytes hold the name, or held it before they were deleted.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    names = tuple(dict.fromkeys(label_names)) or (MAIN,)
    there = _same_name(connection, channel, artifact)
    if there is not None and there.deleted_ms is None:
        revision = relabel(connection, channel, there, names, actor, indexed_ms)
        return Added("relabelled" if revision else "unchanged", by_id(connection, there.id), revision)

    wanted = labels.ensure_open(connection, channel, names, actor)
    revision = channels.next_revision(connection, channel)
    artifact_id = store_artifact(connection, artifact, actor.now_ms)
    entered_ms = actor.now_ms if indexed_ms is None else indexed_ms
    if there is None:
        file = _insert(connection, channel, artifact, artifact_id, wanted, actor)
        put_first(connection, file, wanted, entered_ms)
        touch(connection, channel, file, revision, actor.now_ms, [label.id for label in wanted])
    else:
        connection.execute(t.files.update().where(t.files.c.id == there.id).values(deleted_ms=None))
        activate(connection, there, wanted, entered_ms)
        after_labels(connection, channel, there, revision, actor.now_ms)
        file = by_id(connection, there.id)
    subject = f"{artifact.subdir}/{artifact.filename}"
    after = {"sha256": artifact.sha256, "size": artifact.size, "labels": sorted(names)}
    action = "file.add" if there is None else "file.restore"
    audit.record(connection, actor, Change(action, channel_name, subject, None, after, revision))
    return Added("created" if there is None else "restored", file, revision)


def check_room(
    connection: Connection, channel_name: str, artifact: Artifact, label_names: Sequence[str]
) -> None:
    """Check, changing nothing, that ``add`` would take the artifact, as far as can be said now.

    Raises:
        ChannelMissing, LabelLocked, BadName, FileConflict: what ``add`` would raise.
    """
    channel = channels.get(connection, channel_name)
    there = _same_name(connection, channel, artifact)
    carried = label_names_of(connection, there.id) if there is not None else []
    names = tuple(dict.fromkeys(label_names)) or (MAIN,)
    labels.check_open(connection, channel, [name for name in names if name not in carried])


def _same_name(connection: Connection, channel: Channel, artifact: Artifact) -> StoredFile | None:
    """Find the file that an upload would be: same name, same bytes. Raises ``FileConflict`` for other bytes."""
    found = candidates(connection, channel, artifact.subdir, artifact.filename, deleted=True)
    for file in found:
        if file.sha256 == artifact.sha256:
            return file
    if found and channel.settings.kind == "standard":
        held = found[-1]
        raise FileConflict(
            channel.name,
            artifact.subdir,
            artifact.filename,
            held.sha256,
            artifact.sha256,
            deleted=held.deleted_ms is not None,
        )
    return None


def _insert(
    connection: Connection,
    channel: Channel,
    artifact: Artifact,
    artifact_id: int,
    wanted: Sequence[Label],
    actor: Actor,
) -> StoredFile:
    values: dict[str, Any] = {
        "channel_id": channel.id,
        "subdir": artifact.subdir,
        "filename": artifact.filename,
        "artifact_id": artifact_id,
        "name": artifact.name,
        "broken": any(label.name == BROKEN for label in wanted),
        "uploaded_ms": actor.now_ms,
        "uploaded_by": actor.id,
        "deleted_ms": None,
    }
    candidate = artifact.sha256 if channel.settings.kind == "staging" else ""
    file_id = connection.execute(_INSERT_FILE, {**values, "candidate": candidate}).scalar_one()
    return StoredFile(
        id=file_id,
        sha256=artifact.sha256,
        md5=artifact.md5,
        size=artifact.size,
        version=artifact.version,
        **values,
    )


def delete(
    connection: Connection, channel_name: str, subdir: str, filename: str, actor: Actor, *, sha256: str = ""
) -> StoredFile:
    """Delete one file from a channel: from every view and from download. Its name stays taken.

    Raises:
        FileMissing, CandidateAmbiguous, LabelLocked: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    file = get(connection, channel, subdir, filename, sha256)
    carried = [
        labels.unlocked(channel, labels.get(connection, channel, name))
        for name in label_names_of(connection, file.id)
    ]
    revision = channels.next_revision(connection, channel)
    connection.execute(t.files.update().where(t.files.c.id == file.id).values(deleted_ms=actor.now_ms))
    connection.execute(t.file_labels.update().where(t.file_labels.c.file_id == file.id).values(active=False))
    after_labels(connection, channel, file, revision, actor.now_ms, also=carried)
    before = {"sha256": file.sha256, "labels": [label.name for label in carried]}
    subject = f"{subdir}/{filename}"
    audit.record(connection, actor, Change("file.delete", channel_name, subject, before, None, revision))
    return file
