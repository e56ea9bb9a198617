"""Labels: tags on files, each a channel of its own at ``<channel>/label/<name>``.

``broken`` is special: a file that carries it is hidden from every other view of the channel, whatever labels it has,
and comes back when the label is taken off.

A deleted label keeps its row, for the times at which files entered it and for snapshots of its views; it is found
again when it is created again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.marking import Moment, mark
from channeld.catalog.prepared import Prepared
from channeld.catalog.rejections import LabelLocked, LabelMissing, LabelPermanent
from channeld.formats.names import KNOWN_SUBDIRS, check_label

BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Label:
    """A label as the catalog knows it."""

    id: int
    channel_id: int
    name: str
    locked: bool
    #: CEP 42 ``channel_relations``; empty when the label declares none.
    relations: dict[str, str]
    created_ms: int


def _from_row(row: Any) -> Label:
    relations = orjson.loads(row.relations) if row.relations else {}
    return Label(row.id, row.channel_id, row.name, row.locked, relations, row.created_ms)


_BY_NAME = Prepared(
    sa.select(t.labels).where(
        t.labels.c.channel_id == sa.bindparam("channel_id"), t.labels.c.name == sa.bindparam("name")
    )
)


def find(connection: Connection, channel: Channel, name: str) -> Label | None:
    """Look a label up by name."""
    row = _row(connection, channel, name)
    return _from_row(row) if row is not None and row.deleted_ms is None else None


def _row(connection: Connection, channel: Channel, name: str) -> Any:
    """Look a label up by name, also a deleted one; None when there is none."""
    return _BY_NAME.first(connection, {"channel_id": channel.id, "name": name})


def get(connection: Connection, channel: Channel, name: str) -> Label:
    """Look a label up by name; raises ``LabelMissing``."""
    label = find(connection, channel, name)
    if label is None:
        raise LabelMissing(channel.name, name)
    return label


def relations_of(connection: Connection, label_id: int) -> dict[str, str]:
    """Return the relations that a label declares (CEP 42); none for a label that is not there."""
    text = connection.execute(sa.select(t.labels.c.relations).where(t.labels.c.id == label_id)).scalar()
    return dict(orjson.loads(text)) if text else {}


def every(connection: Connection, channel: Channel) -> list[Label]:
    """List a channel's labels by name."""
    rows = connection.execute(
        sa.select(t.labels)
        .where(t.labels.c.channel_id == channel.id, t.labels.c.deleted_ms.is_(None))
        .order_by(t.labels.c.name)
    )
    return [_from_row(row) for row in rows]


def count_files(connection: Connection, label: Label) -> int:
    """Count the files that carry a label."""
    mine = sa.and_(t.file_labels.c.label_id == label.id, t.file_labels.c.active)
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(t.file_labels).where(mine)).scalar_one()
    )


def ensure(connection: Connection, channel: Channel, name: str, actor: Actor) -> Label:
    """Return the label of a locked channel, creating it when it is not there: that is a change of its own.

    Raises:
        BadName: the name breaks the rules of CEP 26.
    """
    row = _row(connection, channel, name)
    if row is not None and row.deleted_ms is None:
        return _from_row(row)
    _check_name(channel, name)
    values = {"locked": False, "relations": "", "created_ms": actor.now_ms, "deleted_ms": None}
    if row is None:
        connection.execute(t.labels.insert().values(channel_id=channel.id, name=name, **values))
    else:
        connection.execute(t.labels.update().where(t.labels.c.id == row.id).values(**values))
    revision = channels.next_revision(connection, channel)
    audit.record(connection, actor, Change("label.create", channel.name, name, after={}, revision=revision))
    return get(connection, channel, name)


def _check_name(channel: Channel, name: str) -> None:
    check_label(name, KNOWN_SUBDIRS.union(channel.settings.subdirs))


def check_open(connection: Connection, channel: Channel, names: Iterable[str]) -> dict[str, Label | None]:
    """Check that files could get the labels; return those that are there, and None for those to be created.

    Raises:
        LabelLocked: one of them takes no change.
        BadName: a new one's name breaks the rules of CEP 26.
    """
    found = {name: find(connection, channel, name) for name in names}
    for name, label in found.items():
        if label is None:
            _check_name(channel, name)
        else:
            unlocked(channel, label)
    return found


def ensure_open(connection: Connection, channel: Channel, names: Iterable[str], actor: Actor) -> list[Label]:
    """Return the labels of a locked channel that files are about to get, creating those that are not there.

    Raises:
        LabelLocked, BadName: as ``check_open`` does, before the first one is created.
    """
    found = check_open(connection, channel, names)
    return [label or ensure(connection, channel, name, actor) for name, label in found.items()]


def unlocked(channel: Channel, label: Label) -> Label:
    """Return the label, or raise ``LabelLocked``."""
    if label.locked:
        raise LabelLocked(channel.name, label.name)
    return label


def create(connection: Connection, channel_name: str, name: str, actor: Actor) -> Label:
    """Create a label; its URLs answer from now on. Creating it again changes nothing.

    Raises:
        ChannelMissing: there is no such channel.
        BadName: the name breaks the rules of CEP 26.
    """
    return ensure(connection, channels.lock(connection, [channel_name])[channel_name], name, actor)


def configure(
    connection: Connection,
    channel_name: str,
    name: str,
    actor: Actor,
    *,
    locked: bool | None = None,
    relations: dict[str, str] | None = None,
) -> Label:
    """Lock, unlock or relate a label. ``relations`` must have been checked against CEP 42.

    A change of relations stands in repodata, so every view of the label is rendered again.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    label = get(connection, channel, name)
    after_locked = label.locked if locked is None else locked
    after_relations = label.relations if relations is None else relations
    if (after_locked, after_relations) == (label.locked, label.relations):
        return label
    revision = channels.next_revision(connection, channel)
    text = orjson.dumps(after_relations, option=orjson.OPT_SORT_KEYS).decode() if after_relations else ""
    connection.execute(
        t.labels.update().where(t.labels.c.id == label.id).values(locked=after_locked, relations=text)
    )
    if after_relations != label.relations:
        mark_whole(connection, channel, label, revision, actor.now_ms)
    before = {"locked": label.locked, "relations": label.relations}
    after = {"locked": after_locked, "relations": after_relations}
    audit.record(connection, actor, Change("label.configure", channel.name, name, before, after, revision))
    return get(connection, channel, name)


def mark_whole(connection: Connection, channel: Channel, label: Label, revision: int, now_ms: int) -> None:
    """Have every view of a label, of the subdirs it has or should have, derived again from the catalog."""
    subdirs = {*channel.settings.subdirs, *_used_subdirs(connection, label)}
    mark(connection, Moment(channel.id, revision, now_ms), [(label.id, subdir) for subdir in subdirs])


def _used_subdirs(connection: Connection, label: Label) -> set[str]:
    """Return the subdirs in which files carry the label, or did."""
    query = sa.select(t.file_labels.c.subdir).where(t.file_labels.c.label_id == label.id).distinct()
    return set(connection.execute(query).scalars())


def delete(connection: Connection, channel_name: str, name: str, actor: Actor) -> None:
    """Drop a label: its URLs no longer answer. Its files stay, under their other labels or under none.

    Raises:
        LabelPermanent: for ``main``, and for ``broken`` while files carry it.
        LabelMissing, LabelLocked: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    label = unlocked(channel, get(connection, channel, name))
    mine = sa.and_(t.file_labels.c.label_id == label.id, t.file_labels.c.active)
    files = count_files(connection, label)
    if name == MAIN or (name == BROKEN and files):
        raise LabelPermanent(channel_name, name)
    revision = channels.next_revision(connection, channel)
    connection.execute(t.file_labels.update().where(mine).values(active=False))
    connection.execute(t.labels.update().where(t.labels.c.id == label.id).values(deleted_ms=actor.now_ms))
    # its views are emptied, so that nothing old stands in them when the label comes back
    subdirs = _used_subdirs(connection, label) | set(channel.settings.subdirs if label.relations else ())
    moment = Moment(channel.id, revision, actor.now_ms)
    mark(connection, moment, [(label.id, subdir) for subdir in subdirs])
    audit.record(
        connection,
        actor,
        Change("label.delete", channel.name, name, before={"files": files}, revision=revision),
    )
