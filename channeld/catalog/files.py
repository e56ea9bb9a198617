"""Files: ``(channel, subdir, filename) → artifact``.

Every function here that changes something is one step of a transaction: it locks the channel, gives it the next
revision, marks the views it touches as dirty and appends an audit row, or changes nothing at all.

One name, one content: a second artifact under a taken name is a conflict, also after the first one was deleted,
because clients and caches hold the first one's bytes for ever. Only a staging channel keeps several candidates under
one name, told apart by their sha256 (see ``candidates``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from channeld.catalog import audit, candidates, channels, labels, relabelling, selection
from channeld.catalog import tables as t
from channeld.catalog.artifact import Artifact as Artifact  # noqa: PLC0414 - files are made of them
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.labels import BROKEN, Label
from channeld.catalog.prepared import Prepared
from channeld.catalog.rejections import FileConflict
from channeld.catalog.selection import StoredFile, by_id, get, label_names_of
from channeld.catalog.tagging import activate, after_labels, put_first, touch


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an upload: a new file, or one that was there with the same bytes."""

    outcome: Literal["created", "unchanged", "relabelled", "restored"]
    file: StoredFile
    #: The revision that shows it; 0 when nothing changed.
    revision: int


_BY_HASH = Prepared(
    sa.select(t.artifacts.c.id, t.artifacts.c.swept_ms)
    .where(t.artifacts.c.sha256 == sa.bindparam("sha256"))
    .with_for_update(read=True, key_share=True)
)
_COLUMNS = tuple(field for field in Artifact.__slots__ if field != "facts")
_STORE = {
    name: Prepared(
        insert(t.artifacts).on_conflict_do_nothing(index_elements=["sha256"]).returning(t.artifacts.c.id),
        (*_COLUMNS, "stored_ms"),
    )
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_STORE_FACTS = Prepared(t.channel_facts.insert())
_FILE_COLUMNS = (
    "channel_id",
    "subdir",
    "filename",
    "candidate",
    "artifact_id",
    "name",
    "broken",
    "uploaded_ms",
    "uploaded_by",
    "deleted_ms",
)
_INSERT_FILE = Prepared(t.files.insert().returning(t.files.c.id), _FILE_COLUMNS)


def store_artifact(connection: Connection, artifact: Artifact, now_ms: int) -> int:
    """Make sure the artifact has its row, and return the row's id. Its bytes must be stored already.

    The row cannot be swept before the transaction ends (see ``sweeping``).
    """
    wanted = {"sha256": artifact.sha256}
    there = _BY_HASH.first(connection, wanted)
    if there is None:
        values = {**{field: getattr(artifact, field) for field in _COLUMNS}, "stored_ms": now_ms}
        stored = _STORE[connection.dialect.name].first(connection, values)
        if stored is not None:
            _STORE_FACTS.run(connection, [{"artifact_id": stored.id, "facts": artifact.facts}])
            return int(stored.id)
        there = _BY_HASH.first(connection, wanted)  # another transaction stored the same bytes just now
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
    entered_ms = actor.now_ms if indexed_ms is None else indexed_ms
    there = _same_name(connection, channel, artifact)
    if there is not None and there.deleted_ms is None:
        return _add_again(connection, channel, there, names, actor, entered_ms)

    wanted = labels.ensure_open(connection, channel, names, actor)
    revision = channels.next_revision(connection, channel)
    artifact_id = store_artifact(connection, artifact, actor.now_ms)
    if there is None:
        file = _insert(connection, channel, artifact, artifact_id, wanted, actor)
        put_first(connection, file, wanted, entered_ms)
        touch(connection, channel, file, revision, actor.now_ms, [label.id for label in wanted])
    else:
        there = _bring_back(connection, channel, there, names, actor)
        activate(connection, there, wanted, entered_ms)
        after_labels(connection, channel, there, revision, actor.now_ms)
        file = by_id(connection, there.id)
    subject = f"{artifact.subdir}/{artifact.filename}"
    after = {"sha256": artifact.sha256, "size": artifact.size, "labels": sorted(names)}
    action = "file.add" if there is None else "file.restore"
    audit.record(connection, actor, Change(action, channel_name, subject, None, after, revision))
    return Added("created" if there is None else "restored", file, revision)


def _add_again(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    label_names: Sequence[str],
    actor: Actor,
    entered_ms: int,
) -> Added:
    """Take bytes that are there: what may be new is a label, and in a staging channel how long they stay."""
    staged = candidates.is_staging(channel)
    before = label_names_of(connection, file.id) if staged else []
    revision = relabelling.put_on(connection, channel, file, label_names, actor, entered_ms)
    if staged:
        candidates.renew(connection, channel, file, label_names, before, revision, actor)
    return Added("relabelled" if revision else "unchanged", by_id(connection, file.id), revision)


def _bring_back(
    connection: Connection, channel: Channel, file: StoredFile, label_names: Sequence[str], actor: Actor
) -> StoredFile:
    """Undo a deletion, as far as the labels are not concerned."""
    if candidates.is_staging(channel):
        return candidates.bring_back(connection, file, label_names, actor)
    connection.execute(t.files.update().where(t.files.c.id == file.id).values(deleted_ms=None))
    return file


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
    found = selection.candidates(connection, channel, artifact.subdir, artifact.filename, deleted=True)
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
    file_id = _INSERT_FILE.first(connection, {**values, "candidate": candidate}).id
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

    In a staging channel that hides a candidate, which by its hash can be promoted until it expires.

    Raises:
        FileMissing, CandidateAmbiguous, LabelLocked: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    file = get(connection, channel, subdir, filename, sha256)
    carried = [
        labels.unlocked(channel, labels.get(connection, channel, name))
        for name in label_names_of(connection, file.id)
    ]
    names = [label.name for label in carried]
    values: dict[str, Any] = {"deleted_ms": actor.now_ms}
    if candidates.is_staging(channel):
        values |= candidates.columns_when_hidden(connection, file, names)
    revision = channels.next_revision(connection, channel)
    connection.execute(t.files.update().where(t.files.c.id == file.id).values(**values))
    connection.execute(t.file_labels.update().where(t.file_labels.c.file_id == file.id).values(active=False))
    after_labels(connection, channel, file, revision, actor.now_ms, also=carried)
    action = "file.hide" if candidates.is_staging(channel) else "file.delete"
    before = {"sha256": file.sha256, "labels": names}
    subject = f"{subdir}/{filename}"
    audit.record(connection, actor, Change(action, channel_name, subject, before, None, revision))
    return file
