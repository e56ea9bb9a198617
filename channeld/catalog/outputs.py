"""Which output is whose: the outputs of a channel's feedstocks, by name, and the globs that new names may match.

An output is named in lower case. What a glob means, and which standing follows from it all, ``promotion`` knows; here
a glob is a text with a core: letters that every name has in it which the glob matches, by which it is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from channeld.catalog import audit, channels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import GlobMissing, OutputNotRegistered
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.manyrows import chunks, insert_many, reserve_ids
from channeld.formats.names import Naming, check_package_name
from channeld.formats.rejections import shown

#: Rows that one statement brings.
_ROWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class KeyedGlob:
    """A glob, and the letters by which it is found among all."""

    glob: str
    core: str


@dataclass(frozen=True, slots=True)
class Owned:
    """An output and the feedstocks that it is registered for, in the order of registration."""

    output: str
    feedstocks: tuple[str, ...]


def output_name(text: str) -> str:
    """Return the name under which an output is registered; raises ``BadName`` for what names no package."""
    return check_package_name(text, Naming.LEGACY).lower()


def owners(connection: Connection, channel_id: int, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the feedstocks that outputs are registered for, in the order of registration, by lower-case name.

    Outputs that are nobody's are left out.
    """
    found: dict[str, list[str]] = {}
    for some in chunks(sorted({name.lower() for name in names})):
        mine = sa.and_(t.outputs.c.channel_id == channel_id, t.outputs.c.name.in_(some))
        for row in connection.execute(_REGISTERED.where(mine).order_by(t.outputs.c.id)):
            found.setdefault(row.name, []).append(row.feedstock)
    return {name: tuple(feedstocks) for name, feedstocks in found.items()}


_REGISTERED = sa.select(t.outputs.c.name, t.feedstocks.c.name.label("feedstock")).join(
    t.feedstocks, t.feedstocks.c.id == t.outputs.c.feedstock_id
)


def register_output(
    connection: Connection,
    channel: Channel,
    name: str,
    feedstock: Feedstock,
    actor: Actor,
    *,
    revision: int | None = None,
) -> bool:
    """Register an output for one more feedstock; tell whether that is new. The caller has locked the channel.

    Args:
        revision: the revision of the channel that the caller's transaction makes; None to make one.

    Raises:
        BadName: the name is that of no package.
    """
    return bool(register_each(connection, channel, [(name, feedstock)], actor, revision=revision))


def register_each(
    connection: Connection,
    channel: Channel,
    wanted: Iterable[tuple[str, Feedstock]],
    actor: Actor,
    *,
    revision: int | None = None,
) -> int:
    """Register outputs, each for a feedstock, in this order; return how many are new. See ``register_output``."""
    pairs = dict.fromkeys((output_name(name), feedstock) for name, feedstock in wanted)
    there = owners(connection, channel.id, [name for name, _ in pairs])
    new = [(name, one) for name, one in pairs if one.name not in there.get(name, ())]
    if not new:
        return 0
    if revision is None:
        revision = channels.next_revision(connection, channel)
    rows = [
        (number, channel.id, name, feedstock.id)
        for number, (name, feedstock) in zip(reserve_ids(connection, t.outputs, len(new)), new, strict=True)
    ]
    insert_many(connection, t.outputs, ("id", "channel_id", "name", "feedstock_id"), rows)
    changes = []
    for name, feedstock in new:
        before = there.get(name, ())
        there[name] = (*before, feedstock.name)
        changes.append(_owners_changed("output.register", channel, name, before, there[name], revision))
    audit.record_each(connection, actor, changes)
    return len(new)


def remove_output(
    connection: Connection, channel: Channel, name: str, feedstock: Feedstock, actor: Actor
) -> None:
    """Take an output from a feedstock. The caller has locked the channel.

    Raises:
        OutputNotRegistered: it is not the feedstock's.
        BadName: the name is that of no package.
    """
    if not remove_each(connection, channel, [(name, feedstock)], actor):
        raise OutputNotRegistered(channel.name, output_name(name), feedstock.name)


def remove_each(
    connection: Connection,
    channel: Channel,
    gone: Iterable[tuple[str, Feedstock]],
    actor: Actor,
    *,
    revision: int | None = None,
) -> int:
    """Take outputs, each from a feedstock; return how many were theirs. See ``register_output``."""
    pairs = dict.fromkeys((output_name(name), feedstock) for name, feedstock in gone)
    there = owners(connection, channel.id, [name for name, _ in pairs])
    mine = [(name, one) for name, one in pairs if one.name in there.get(name, ())]
    if not mine:
        return 0
    if revision is None:
        revision = channels.next_revision(connection, channel)
    names_of: dict[int, list[str]] = {}
    changes = []
    for name, feedstock in mine:
        names_of.setdefault(feedstock.id, []).append(name)
        before = there[name]
        there[name] = tuple(each for each in before if each != feedstock.name)
        changes.append(_owners_changed("output.remove", channel, name, before, there[name], revision))
    table = t.outputs
    for feedstock_id, names in names_of.items():
        for some in chunks(names):
            rows = table.delete().where(table.c.feedstock_id == feedstock_id, table.c.name.in_(some))
            connection.execute(rows)
    audit.record_each(connection, actor, changes)
    return len(mine)


def _owners_changed(
    action: str, channel: Channel, name: str, before: Sequence[str], after: Sequence[str], revision: int
) -> Change:
    return Change(
        action, channel.name, name, {"feedstocks": list(before)}, {"feedstocks": list(after)}, revision
    )


def page(
    connection: Connection,
    channel_id: int,
    limit: int,
    after: str = "",
    *,
    feedstock: Feedstock | None = None,
) -> tuple[list[Owned], str]:
    """List the next outputs by name, and return with them what continues behind the last one: "" at the end.

    With ``feedstock`` those of one feedstock, each with all that have it.
    """
    table = t.outputs
    names = sa.select(table.c.name).where(table.c.channel_id == channel_id, table.c.name > after)
    if feedstock is not None:
        names = names.where(table.c.feedstock_id == feedstock.id)
    found = list(connection.execute(names.distinct().order_by(table.c.name).limit(limit + 1)).scalars())
    whose = owners(connection, channel_id, found[:limit])
    listed = [Owned(name, whose[name]) for name in found[:limit]]
    return listed, found[limit - 1] if len(found) > limit else ""


def count(connection: Connection, feedstock: Feedstock) -> int:
    """Count the outputs that are registered for a feedstock."""
    return _count(connection, t.outputs, feedstock)


def count_globs(connection: Connection, feedstock: Feedstock) -> int:
    """Count the globs of a feedstock."""
    return _count(connection, t.output_globs, feedstock)


def _count(connection: Connection, table: sa.Table, feedstock: Feedstock) -> int:
    mine = sa.select(sa.func.count()).select_from(table).where(table.c.feedstock_id == feedstock.id)
    return int(connection.execute(mine).scalar_one())


def outputs_of(connection: Connection, feedstock_id: int) -> tuple[str, ...]:
    """Return the outputs that are registered for a feedstock, by name."""
    mine = sa.select(t.outputs.c.name).where(t.outputs.c.feedstock_id == feedstock_id)
    return tuple(connection.execute(mine.order_by(t.outputs.c.name)).scalars())


def globs_of(connection: Connection, feedstock_id: int) -> tuple[str, ...]:
    """Return the globs of a feedstock, in the order in which they were added."""
    mine = sa.select(t.output_globs.c.glob).where(t.output_globs.c.feedstock_id == feedstock_id)
    return tuple(connection.execute(mine.order_by(t.output_globs.c.id)).scalars())


def globs_with(
    connection: Connection, channel_id: int, cores: Iterable[str]
) -> Iterator[tuple[KeyedGlob, str]]:
    """Yield the globs of a channel that have one of the cores, each with the name of its feedstock."""
    texts = sorted(set(cores))
    given: Any = texts if connection.dialect.name == "postgresql" else orjson.dumps(texts).decode()
    query = _WITH_CORES[connection.dialect.name].execution_options(yield_per=_ROWS)
    for row in connection.execute(query, {"channel_id": channel_id, "cores": given}):
        yield KeyedGlob(row.glob, row.core), row.name


def _with_cores(among: sa.ColumnElement[bool]) -> sa.Select[tuple[str, str, str]]:
    return (
        sa.select(t.output_globs.c.glob, t.output_globs.c.core, t.feedstocks.c.name)
        .join(t.feedstocks, t.feedstocks.c.id == t.output_globs.c.feedstock_id)
        .where(t.output_globs.c.channel_id == sa.bindparam("channel_id"), among)
    )


# A name has up to 2,080 parts: as one value, they take a tenth of the time that a list of parameters does.
_WITH_CORES: Final = {
    "sqlite": _with_cores(
        t.output_globs.c.core.in_(
            sa.select(sa.func.json_each(sa.bindparam("cores")).table_valued("value").c.value)
        )
    ),
    "postgresql": _with_cores(
        t.output_globs.c.core == sa.any_(sa.bindparam("cores", type_=postgresql.ARRAY(sa.Text)))
    ),
}


def globs_page(
    connection: Connection,
    channel_id: int,
    limit: int,
    after: int = 0,
    *,
    feedstock: Feedstock | None = None,
) -> tuple[list[tuple[str, str]], int]:
    """List the next globs of a channel, or of one feedstock, in the order of adding, each with its feedstock.

    With them comes what continues behind the last one: 0 at the end.
    """
    query = (
        sa.select(t.output_globs.c.id, t.output_globs.c.glob, t.feedstocks.c.name)
        .join(t.feedstocks, t.feedstocks.c.id == t.output_globs.c.feedstock_id)
        .where(t.output_globs.c.channel_id == channel_id, t.output_globs.c.id > after)
        .order_by(t.output_globs.c.id)
        .limit(limit + 1)
    )
    if feedstock is not None:
        query = query.where(t.output_globs.c.feedstock_id == feedstock.id)
    rows = list(connection.execute(query))
    listed = [(row.glob, row.name) for row in rows[:limit]]
    return listed, rows[limit - 1].id if len(rows) > limit else 0


def add_globs(
    connection: Connection,
    channel: Channel,
    wanted: Mapping[Feedstock, Sequence[KeyedGlob]],
    actor: Actor,
    *,
    revision: int | None = None,
) -> int:
    """Add globs to feedstocks, in this order; return how many are new. The caller has locked the channel.

    The globs have been checked by whoever knows what they mean. ``revision`` is as for ``register_output``.
    """
    new: list[tuple[Feedstock, KeyedGlob]] = []
    for feedstock, globs in wanted.items():
        there = globs_among(connection, feedstock, [keyed.glob for keyed in globs])
        new += [(feedstock, keyed) for keyed in dict.fromkeys(globs) if keyed.glob not in there]
    if not new:
        return 0
    if revision is None:
        revision = channels.next_revision(connection, channel)
    rows: list[tuple[Any, ...]] = [
        (number, channel.id, feedstock.id, keyed.glob, keyed.core)
        for number, (feedstock, keyed) in zip(
            reserve_ids(connection, t.output_globs, len(new)), new, strict=True
        )
    ]
    insert_many(connection, t.output_globs, ("id", "channel_id", "feedstock_id", "glob", "core"), rows)
    audit.record_each(
        connection,
        actor,
        (
            Change("glob.add", channel.name, one.name, after={"glob": keyed.glob}, revision=revision)
            for one, keyed in new
        ),
    )
    return len(new)


def globs_among(connection: Connection, feedstock: Feedstock, globs: Sequence[str]) -> set[str]:
    """Return which of some globs a feedstock has already."""
    table = t.output_globs
    found: set[str] = set()
    for some in chunks(globs):
        mine = sa.and_(table.c.feedstock_id == feedstock.id, table.c.glob.in_(some))
        found.update(connection.execute(sa.select(table.c.glob).where(mine)).scalars())
    return found


def remove_glob(
    connection: Connection, channel: Channel, glob: str, feedstock: Feedstock, actor: Actor
) -> None:
    """Take a glob from a feedstock; what it registered stays registered. The caller has locked the channel.

    Raises:
        GlobMissing: the feedstock does not have it.
    """
    if not remove_globs(connection, channel, {feedstock: [glob]}, actor):
        raise GlobMissing(channel.name, shown(glob), feedstock.name)


def remove_globs(
    connection: Connection,
    channel: Channel,
    gone: Mapping[Feedstock, Sequence[str]],
    actor: Actor,
    *,
    revision: int | None = None,
) -> int:
    """Take globs from feedstocks; return how many were theirs. See ``add_globs``."""
    theirs = {one: sorted(globs_among(connection, one, globs)) for one, globs in gone.items()}
    mine = [(feedstock, glob) for feedstock, globs in theirs.items() for glob in globs]
    if not mine:
        return 0
    if revision is None:
        revision = channels.next_revision(connection, channel)
    table = t.output_globs
    for feedstock, globs in theirs.items():
        for some in chunks(globs):
            rows = table.delete().where(table.c.feedstock_id == feedstock.id, table.c.glob.in_(some))
            connection.execute(rows)
    audit.record_each(
        connection,
        actor,
        (
            Change("glob.remove", channel.name, one.name, before={"glob": glob}, revision=revision)
            for one, glob in mine
        ),
    )
    return len(mine)
