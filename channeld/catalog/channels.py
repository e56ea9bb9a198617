"""Channels: what they are, and the one lock that orders the changes of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.marking import Moment, mark
from channeld.catalog.prepared import Prepared
from channeld.catalog.rejections import BadSettingValue, ChannelExists, ChannelMissing, ChannelNotEmpty
from channeld.formats.names import NOARCH, check_channel_name, check_subdir

Kind = Literal["standard", "staging"]
Legacy = Literal["refuse", "allow"]
ByMd5 = Literal["refuse", "allow"]

#: The label every channel has from the start; the channel's own URL shows it.
MAIN = "main"


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What an operator decides about a channel."""

    kind: Kind = "standard"
    private: bool = False
    #: Whether published packages that break today's naming rules may come in.
    legacy: Legacy = "refuse"
    #: Subdirs that answer (empty) from creation on. noarch is always among them (CEP 26).
    subdirs: tuple[str, ...] = ("noarch",)
    description: str = ""
    #: Of a staging channel, the standard channel that its candidates are promoted into; "" for none.
    promotes_to: str = ""
    #: Whether a request to promote into this channel may name bytes by their md5 alone.
    copies_by_md5: ByMd5 = "allow"

    def checked(self) -> ChannelSettings:
        """Return the settings in the form that is stored: subdirs sorted, noarch among them.

        Raises:
            BadSettingValue: a value that the setting cannot have.
            BadName: a subdir breaks the rules of CEP 26.
        """
        if self.kind not in ("standard", "staging"):
            raise BadSettingValue("kind", self.kind, "'standard' or 'staging'")
        if self.legacy not in ("refuse", "allow"):
            raise BadSettingValue("legacy", self.legacy, "'refuse' or 'allow'")
        if self.copies_by_md5 not in ("refuse", "allow"):
            raise BadSettingValue("copies_by_md5", self.copies_by_md5, "'refuse' or 'allow'")
        if self.promotes_to and self.kind != "staging":
            raise BadSettingValue(
                "promotes_to",
                self.promotes_to,
                "empty but for a channel of the kind 'staging' (channel create --staging)",
            )
        return replace(self, subdirs=tuple(sorted({NOARCH, *map(check_subdir, self.subdirs)})))

    def changed(self, changes: Mapping[str, Any]) -> ChannelSettings:
        """Return the settings with some of them changed, checked.

        Raises:
            BadSettingValue: there is no such setting, or a value that it cannot have.
            BadName: a subdir breaks the rules of CEP 26.
        """
        for name, value in changes.items():
            if name not in _FORMS:
                raise BadSettingValue("The name of a setting", name, f"one of {', '.join(_FORMS)}")
            form, allowed = _FORMS[name]
            if not isinstance(value, form):
                raise BadSettingValue(name, str(value), allowed)
        return replace(self, **changes).checked()

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values, under the names of the fields."""
        return {
            "kind": self.kind,
            "private": self.private,
            "legacy": self.legacy,
            "subdirs": list(self.subdirs),
            "description": self.description,
            "promotes_to": self.promotes_to,
            "copies_by_md5": self.copies_by_md5,
        }

    def as_columns(self) -> dict[str, Any]:
        """Return the settings as the values of their columns."""
        return {**self.as_json(), "subdirs": orjson.dumps(self.subdirs).decode()}


_FORMS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "kind": (str, "a text"),
    "private": (bool, "true or false"),
    "legacy": (str, "a text"),
    "subdirs": ((tuple, list), "a list of subdirs"),
    "description": (str, "a text"),
    "promotes_to": (str, "a text"),
    "copies_by_md5": (str, "a text"),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the catalog knows it."""

    id: int
    name: str
    settings: ChannelSettings
    revision: int
    created_ms: int


def _from_row(row: Any) -> Channel:
    settings = ChannelSettings(
        kind=row.kind,
        private=row.private,
        legacy=row.legacy,
        subdirs=tuple(orjson.loads(row.subdirs)),
        description=row.description,
        promotes_to=row.promotes_to,
        copies_by_md5=row.copies_by_md5,
    )
    return Channel(row.id, row.name, settings, row.revision, row.created_ms)


def create(connection: Connection, name: str, settings: ChannelSettings, actor: Actor) -> Channel:
    """Create a channel with its label ``main``. The same again, with the same settings, changes nothing.

    Raises:
        ChannelExists: there is one of that name with other settings.
        BadName: the name, or that of a subdir, breaks the rules of CEP 26.
        BadSettingValue: a value that the setting cannot have.
    """
    check_channel_name(name)
    settings = settings.checked()
    _check_target(connection, name, settings)
    there = find(connection, name)
    if there is None:
        revision = _last_revision(connection, name) + 1
        values = {"name": name, "revision": revision, "created_ms": actor.now_ms, **settings.as_columns()}
        try:
            with connection.begin_nested():
                connection.execute(t.channels.insert().values(**values))
        except sa.exc.IntegrityError:  # another transaction was quicker
            there = get(connection, name)
    if there is not None:
        if there.settings == settings:
            return there
        raise ChannelExists(name)
    channel = get(connection, name)
    connection.execute(
        t.labels.insert().values(
            channel_id=channel.id, name=MAIN, locked=False, relations="", created_ms=actor.now_ms
        )
    )
    change = Change("channel.create", name, "", after=settings.as_json(), revision=channel.revision)
    audit.record(connection, actor, change)
    return channel


def _last_revision(connection: Connection, name: str) -> int:
    """Return the last revision that a deleted channel of that name had: mirrors of it must not see time go back."""
    query = sa.select(sa.func.max(t.audit.c.revision)).where(t.audit.c.channel == name)
    return connection.execute(query).scalar() or 0


_NAMED = sa.select(t.channels).where(t.channels.c.name == sa.bindparam("name"))
_BY_NAME = Prepared(_NAMED)
#: key_share: rows that refer to the channel may still be written meanwhile, as a flip does.
_LOCK = Prepared(_NAMED.with_for_update(key_share=True))
_NEXT_REVISION = Prepared(
    t.channels.update()
    .where(t.channels.c.id == sa.bindparam("channel_id"))
    .values(revision=t.channels.c.revision + 1)
    .returning(t.channels.c.revision)
)


def find(connection: Connection, name: str) -> Channel | None:
    """Look a channel up by name."""
    row = _BY_NAME.first(connection, {"name": name})
    return _from_row(row) if row is not None else None


def get(connection: Connection, name: str) -> Channel:
    """Look a channel up by name; raises ``ChannelMissing``."""
    channel = find(connection, name)
    if channel is None:
        raise ChannelMissing(name)
    return channel


def every(connection: Connection) -> list[Channel]:
    """List all channels by name."""
    return [_from_row(row) for row in connection.execute(sa.select(t.channels).order_by(t.channels.c.name))]


def lock(connection: Connection, names: Iterable[str]) -> dict[str, Channel]:
    """Take the write locks of channels, in sorted order so that two takers cannot wait for each other.

    What the transaction reads afterwards includes everything committed before. Raises ``ChannelMissing``.
    """
    locked = {}
    for name in sorted(set(names)):
        row = _LOCK.first(connection, {"name": name})
        if row is None:
            raise ChannelMissing(name)
        locked[name] = _from_row(row)
    return locked


def next_revision(connection: Connection, channel: Channel) -> int:
    """Count one more change of a locked channel, and return its number."""
    return int(_NEXT_REVISION.first(connection, {"channel_id": channel.id}).revision)


def configure(connection: Connection, name: str, changes: Mapping[str, Any], actor: Actor) -> Channel:
    """Change some settings of a channel. ``kind`` is for life: candidates and names are stored by it.

    Raises:
        ChannelMissing: there is no such channel.
        BadSettingValue: there is no such setting, or a value that it cannot have.
        BadName: a subdir breaks the rules of CEP 26.
    """
    channel = lock(connection, [name])[name]
    settings = channel.settings.changed(changes)
    if settings.kind != channel.settings.kind:
        raise BadSettingValue("kind", settings.kind, f"{channel.settings.kind!r} for the life of the channel")
    if settings == channel.settings:
        return channel
    _check_target(connection, name, settings)
    revision = next_revision(connection, channel)
    row = t.channels.update().where(t.channels.c.id == channel.id)
    connection.execute(row.values(**settings.as_columns()))
    new_subdirs = set(settings.subdirs) - set(channel.settings.subdirs)
    _mark_related(connection, Moment(channel.id, revision, actor.now_ms), new_subdirs)
    audit.record(
        connection,
        actor,
        Change("channel.configure", name, "", channel.settings.as_json(), settings.as_json(), revision),
    )
    return replace(channel, settings=settings, revision=revision)


def staging_of(connection: Connection, name: str) -> Channel | None:
    """Return the channel whose candidates are promoted into a channel; there is one at most."""
    row = connection.execute(sa.select(t.channels).where(t.channels.c.promotes_to == name)).first()
    return _from_row(row) if row is not None else None


def _check_target(connection: Connection, name: str, settings: ChannelSettings) -> None:
    """Make sure that what a channel promotes to can be promoted to, and by no other."""
    target = settings.promotes_to
    if not target:
        return
    if get(connection, target).settings.kind != "standard":
        raise BadSettingValue("promotes_to", target, "a channel that is not for staging itself")
    other = staging_of(connection, target)
    if other is not None and other.name != name:
        raise BadSettingValue("promotes_to", target, f"a channel that {other.name!r} does not promote to yet")


def _mark_related(connection: Connection, moment: Moment, subdirs: set[str]) -> None:
    """Have subdirs rendered under the labels whose relations even an empty view has to tell (CEP 42)."""
    if subdirs:
        related = sa.select(t.labels.c.id).where(
            t.labels.c.channel_id == moment.channel_id,
            t.labels.c.relations != "",
            t.labels.c.deleted_ms.is_(None),
        )
        labels = connection.execute(related).scalars().all()
        mark(connection, moment, [(label, subdir) for label in labels for subdir in subdirs])


def delete(connection: Connection, name: str, actor: Actor, *, force: bool = False) -> None:
    """Delete a channel, its labels, files and views. The bytes go later, when nothing else holds them.

    Raises:
        ChannelMissing: there is no such channel.
        ChannelNotEmpty: it has files, or candidates that are hidden and can be promoted; ``force`` was not given.
    """
    channel = lock(connection, [name])[name]
    count = sa.select(sa.func.count()).where(
        t.files.c.channel_id == channel.id,
        sa.or_(t.files.c.deleted_ms.is_(None), t.files.c.hidden_labels.is_not(None)),
    )
    files = connection.execute(count).scalar_one()
    if files and not force:
        raise ChannelNotEmpty(name, files)
    revision = next_revision(connection, channel)
    connection.execute(t.channels.delete().where(t.channels.c.id == channel.id))
    before = {**channel.settings.as_json(), "files": files}
    audit.record(connection, actor, Change("channel.delete", name, "", before, revision=revision))
