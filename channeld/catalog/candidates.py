"""Candidates: the files of a staging channel, of which several may share a name, each meant by its sha256.

Many may upload with one token, so a name is nobody's there, and none of them can take away what another is about to
promote:

- Other bytes under a name are one candidate more. What is there is neither replaced nor does it keep them out.
- A deletion hides: the candidate is gone from the index, from look-ups and from downloads. By its hash it can be
  promoted all the same, until it expires.
- The same bytes again begin a candidate's life anew. A hidden one comes back under the labels that came with them, as
  the newest of its name.
- Uploading the same bytes under other labels takes none away, and none of those under which they came before: by each
  set of labels with which somebody uploaded it, a candidate can be promoted. Only who may change labels may say
  otherwise: changing those of a candidate that is shown leaves it with the set that it has then.

Two things remove a candidate for good, whoever brought it: its promotion, and its age. Neither asks whether a label is
locked. The bytes go with the usual sweep, as soon as nothing else names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels, selection
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.listing import labels_of
from channeld.catalog.manyrows import chunks
from channeld.catalog.marking import ChangedFile, Moment, mark_each
from channeld.catalog.selection import StoredFile, by_id, search

BATCH = 100  # candidates that one transaction removes, and a bound for one IN list

#: Labels by name, sorted.
LabelSet = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of a staging channel under a set of labels by which it can be promoted.

    A file that was uploaded under several sets of labels is several candidates with the same bytes: ``file.id`` tells.
    """

    file: StoredFile
    labels: LabelSet
    #: Whether it was deleted: then nobody but a promotion sees it.
    hidden: bool


def is_staging(channel: Channel) -> bool:
    """Tell whether a channel holds candidates."""
    return channel.settings.kind == "staging"


def candidates_for_copy(
    connection: Connection, staging: Channel, subdir: str, filename: str
) -> list[Candidate]:
    """List what can be promoted under a file name, oldest first; of each file the labels that it shows first.

    Whoever acts on the answer in the same transaction has locked the channel.
    """
    place = (subdir, filename)
    return candidates_at(connection, staging, [place]).get(place, [])


def candidates_at(
    connection: Connection, staging: Channel, places: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Candidate]]:
    """List what can be promoted at each of some places ``(subdir, file name)``, as ``candidates_for_copy`` does."""
    files = selection.named(connection, staging, places)
    every = [file for some in files.values() for file in some]
    carried = labels_of(connection, [file.id for file in every if file.deleted_ms is None])
    kept = _kept_sets(connection, [file.id for file in every])
    found: dict[tuple[str, str], list[Candidate]] = {}
    for file in every:
        hidden = file.deleted_ms is not None
        shown = () if hidden else (carried.get(file.id, ()),)
        found.setdefault((file.subdir, file.filename), []).extend(
            Candidate(file, labels, hidden) for labels in dict.fromkeys((*shown, *kept.get(file.id, ())))
        )
    return found


def _kept_sets(connection: Connection, file_ids: Sequence[int]) -> dict[int, list[LabelSet]]:
    """Return the sets of labels under which files were uploaded, and that they do not show."""
    found = {}
    for ids in chunks(file_ids):
        query = sa.select(t.files.c.id, t.files.c.hidden_labels).where(
            t.files.c.id.in_(ids), t.files.c.hidden_labels.is_not(None)
        )
        for row in connection.execute(query):
            found[row.id] = [tuple(labels) for labels in orjson.loads(row.hidden_labels)]
    return found


def _with_sets(
    connection: Connection, file: StoredFile, more: Iterable[Sequence[str]], shown: LabelSet = ()
) -> str | None:
    """Return the sets of a file with some more, as its column has them: without the one that it shows, none empty."""
    kept = _kept_sets(connection, [file.id]).get(file.id, [])
    sets = dict.fromkeys((*kept, *(tuple(sorted(set(labels))) for labels in more)))
    left = [list(labels) for labels in sets if labels not in ((), shown)]
    return orjson.dumps(left).decode() if left else None


def columns_when_hidden(
    connection: Connection, file: StoredFile, carried: Sequence[str]
) -> dict[str, object]:
    """Say what changes in the row of a candidate that is deleted, beside the time."""
    return {"hidden_labels": _with_sets(connection, file, [carried])}


def renew(
    connection: Connection,
    channel: Channel,
    file: StoredFile,
    uploaded: Sequence[str],
    before: Sequence[str],
    revision: int,
    actor: Actor,
) -> None:
    """Begin the life of a candidate anew that is shown, and whose bytes were uploaded again.

    Args:
        uploaded: the labels of that upload.
        before: the labels that the candidate carried until then; now it carries both.
        revision: of the change of its labels, which has been recorded; 0 where there was none.
    """
    shown = tuple(sorted({*before, *uploaded}))
    sets = _with_sets(connection, file, [before, uploaded], shown)
    now_ms = max(actor.now_ms, file.uploaded_ms)
    row = t.files.update().where(t.files.c.id == file.id)
    connection.execute(row.values(uploaded_ms=now_ms, hidden_labels=sets))
    if not revision and now_ms != file.uploaded_ms:
        after = {"sha256": file.sha256, "labels": sorted(set(uploaded))}
        number = channels.next_revision(connection, channel)
        change = Change("file.renew", channel.name, _subject(file), None, after, number)
        audit.record(connection, actor, change)


def bring_back(connection: Connection, file: StoredFile, uploaded: Sequence[str], actor: Actor) -> StoredFile:
    """Give a hidden candidate whose bytes were uploaded again a row of its own, as the newest of its name.

    Its times of entry stay (CEP 47). Its labels are still off.
    """
    table = t.files
    row = connection.execute(sa.select(table).where(table.c.id == file.id)).one()
    values = {
        **row._mapping,
        "broken": False,
        "uploaded_ms": actor.now_ms,
        "uploaded_by": actor.id,
        "deleted_ms": None,
        "hidden_labels": _with_sets(connection, file, [], tuple(sorted(set(uploaded)))),
    }
    del values["id"]
    # its place is taken until the old row is gone, and that one goes last: it would take the times along
    connection.execute(table.update().where(table.c.id == file.id).values(candidate=""))
    new_id = connection.execute(table.insert().values(**values).returning(table.c.id)).scalar_one()
    entries = t.file_labels.update().where(t.file_labels.c.file_id == file.id)
    connection.execute(entries.values(file_id=new_id))
    connection.execute(table.delete().where(table.c.id == file.id))
    return by_id(connection, new_id)


def forget_sets(connection: Connection, file_ids: Sequence[int]) -> None:
    """Leave candidates with the labels that they show: somebody who may change labels has said what they are."""
    row = t.files.update().where(t.files.c.id.in_(file_ids), t.files.c.hidden_labels.is_not(None))
    connection.execute(row.values(hidden_labels=None))


def remove_candidate(connection: Connection, staging: Channel, file: StoredFile, actor: Actor) -> None:
    """Remove a candidate, shown or hidden, that has been promoted. The channel is locked. Once gone it stays gone."""
    _remove(connection, staging, [t.files.c.id == file.id], "file.promote", actor)


def remove_candidates(
    connection: Connection, staging: Channel, file_ids: Sequence[int], actor: Actor
) -> None:
    """Remove several candidates that have been promoted, as ``remove_candidate`` does."""
    for ids in chunks(file_ids):
        _remove(connection, staging, [t.files.c.id.in_(ids)], "file.promote", actor)


def expired(connection: Connection, channel: Channel, before_ms: int, limit: int = BATCH) -> list[int]:
    """List the ids of candidates whose life began before a time: some of them, in no order.

    What a channel of another kind holds never expires.
    """
    if not is_staging(channel):
        return []
    old = sa.select(t.files.c.id).where(t.files.c.channel_id == channel.id, t.files.c.uploaded_ms < before_ms)
    return list(connection.execute(old.limit(min(limit, BATCH))).scalars())


def expire(
    connection: Connection, channel_name: str, ids: Sequence[int], before_ms: int, actor: Actor
) -> int:
    """Remove candidates, as far as they are still expired; returns how many.

    Raises:
        ChannelMissing: as it says.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    old = [t.files.c.id.in_(ids), t.files.c.uploaded_ms < before_ms]
    return _remove(connection, channel, old, "file.expire", actor)


def _remove(
    connection: Connection,
    channel: Channel,
    conditions: Sequence[sa.ColumnElement[bool]],
    action: str,
    actor: Actor,
) -> int:
    """Delete the rows of candidates of a locked channel."""
    if not is_staging(channel):
        raise ValueError(f"{channel.name} holds no candidates: its names are taken for ever.")
    gone = search(connection, [t.files.c.channel_id == channel.id, *conditions], [t.files.c.id])
    if not gone:
        return 0
    ids = [file.id for file in gone]
    carried, kept = labels_of(connection, ids), _kept_sets(connection, ids)
    revision = channels.next_revision(connection, channel)
    mark_each(connection, Moment(channel.id, revision, actor.now_ms), _marks(connection, gone))
    connection.execute(t.files.delete().where(t.files.c.id.in_(ids)))
    audit.record_each(
        connection,
        actor,
        (
            Change(
                action,
                channel.name,
                _subject(file),
                {
                    "sha256": file.sha256,
                    "labels": carried.get(file.id, ()),
                    "hidden_labels": kept.get(file.id, []),
                    "uploaded_by": file.uploaded_by,
                },
                None,
                revision,
            )
            for file in gone
        ),
    )
    return len(gone)


def _marks(connection: Connection, gone: Sequence[StoredFile]) -> list[tuple[int, str, ChangedFile]]:
    """Name the views that change with files whose rows go: those that show them, and those that only did.

    What a label has had so far, and no longer has when the row is gone, stands in documents too.
    """
    files = {file.id: file for file in gone}
    table = t.file_labels
    query = (
        sa.select(table.c.label_id, table.c.file_id)
        .where(table.c.file_id.in_(list(files)))
        .order_by(table.c.label_id, table.c.file_id)
    )
    return [
        (label_id, files[file_id].subdir, ChangedFile(files[file_id].filename, files[file_id].name))
        for label_id, file_id in connection.execute(query)
    ]


def _subject(file: StoredFile) -> str:
    return f"{file.subdir}/{file.filename}"
