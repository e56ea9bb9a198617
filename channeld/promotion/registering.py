"""Registering outputs and globs for feedstocks, many at once: what is wanted, checked, and then done in a transaction.

That an output is new while its feedstock is known says nothing: somebody registers it here, or a glob does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.outputs import KeyedGlob
from channeld.promotion.globs import check_glob, core_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Outputs and globs that are to be registered, all of them checked."""

    #: Output → feedstocks, in the order in which they own it.
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: Feedstock → globs.
    globs: Mapping[str, Sequence[KeyedGlob]] = field(default_factory=dict)

    @classmethod
    def checked(
        cls, outputs_wanted: Mapping[str, Sequence[str]], globs: Mapping[str, Sequence[str]]
    ) -> Wanted:
        """Check names and globs.

        Raises:
            BadName, GlobMalformed, FeedstockNameMalformed: one of them is none.
        """
        for name in {*globs, *(each for owners in outputs_wanted.values() for each in owners)}:
            feedstocks.check_name(name)
        named: dict[str, list[str]] = {}
        for output, owners in outputs_wanted.items():
            named.setdefault(outputs.output_name(output), []).extend(owners)
        return cls(named, {feedstock: keyed(patterns) for feedstock, patterns in globs.items()})

    @classmethod
    def for_one(cls, feedstock: str, names: Iterable[str], globs: Sequence[str]) -> Wanted:
        """Check what one feedstock is to have. Raises as ``checked``."""
        return cls.checked(dict.fromkeys(names, (feedstock,)), {feedstock: globs} if globs else {})

    @property
    def feedstocks(self) -> tuple[str, ...]:
        """The feedstocks that get something, each once."""
        owners = (name for names in self.outputs.values() for name in names)
        return tuple(dict.fromkeys((*owners, *self.globs)))


@dataclass(frozen=True, slots=True)
class Registered:
    """How much was new."""

    feedstocks: int
    outputs: int
    globs: int


def keyed(globs: Iterable[str]) -> tuple[KeyedGlob, ...]:
    """Return globs as they are kept; raises ``GlobMalformed``."""
    return tuple(KeyedGlob(check_glob(glob), core_of(glob)) for glob in globs)


def add(connection: Connection, channel_name: str, wanted: Wanted, actor: Actor) -> Registered:
    """Register outputs and globs for feedstocks that are there. The same again changes nothing.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    found = {name: feedstocks.get(connection, channel, name) for name in wanted.feedstocks}
    return _add(connection, channel, found, wanted, actor, 0)


def import_(
    connection: Connection, channel_name: str, wanted: Wanted, actor: Actor, names: Iterable[str] = ()
) -> Registered:
    """Register outputs, globs and, where they are not there, their feedstocks, and feedstocks that have neither.

    Raises:
        ChannelMissing: there is no such channel.
        FeedstockNameMalformed: no feedstock can have one of the names.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    all_names = {*wanted.feedstocks, *names}
    found, new = feedstocks.find_each(connection, channel.id, all_names), 0
    if len(found) < len(all_names):
        revision = channels.next_revision(connection, channel)
        found, new = feedstocks.ensure(connection, channel, all_names, actor, revision)
    return _add(connection, channel, found, wanted, actor, new)


def _add(
    connection: Connection,
    channel: Channel,
    found: Mapping[str, Feedstock],
    wanted: Wanted,
    actor: Actor,
    new_feedstocks: int,
) -> Registered:
    pairs = [(output, found[name]) for output, names in wanted.outputs.items() for name in names]
    new_outputs = outputs.register_each(connection, channel, pairs, actor)
    globs = {found[name]: globs for name, globs in wanted.globs.items()}
    return Registered(new_feedstocks, new_outputs, outputs.add_globs(connection, channel, globs, actor))
