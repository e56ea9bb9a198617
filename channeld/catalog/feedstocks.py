"""Feedstocks: who may publish into a channel with tokens of their own. A feedstock is named without ``-feedstock``.

Here they are registered, archived and found, with what is kept of their tokens; ``feedstocktokens`` changes the tokens,
``outputs`` knows which names are whose. Each change is a revision of the channel, although it shows in no document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import FeedstockMissing, FeedstockNameMalformed
from channeld.catalog.manyrows import chunks, insert_many, reserve_ids
from channeld.formats.names import Naming, check_package_name
from channeld.formats.rejections import BadName, shown

#: The name of a feedstock's repository ends in it.
SUFFIX: Final = "-feedstock"

#: Tokens of one feedstock that one provider may use at a time. A wrong token is compared with as many always.
MOST_THAT_COUNT: Final = 4


@dataclass(frozen=True, slots=True)
class Feedstock:
    """A feedstock as the catalog knows it."""

    id: int
    channel_id: int
    name: str
    created_ms: int
    #: Since when it publishes nothing; None while it may.
    archived_ms: int | None


@dataclass(frozen=True, slots=True)
class KeptToken:
    """What is kept of one token of a feedstock: its scrypt and the salt, as conda-smithy stores them."""

    id: int
    salt: bytes = field(repr=False)
    #: Empty for one that was revoked.
    digest: bytes = field(repr=False)
    #: The CI service that may use it; None for all.
    provider: str | None
    expires_ms: int | None

    @property
    def revoked(self) -> bool:
        """Whether somebody ended it for good."""
        return not self.digest

    def ended(self, now_ms: int) -> bool:
        """Tell whether its end has come."""
        return self.revoked or (self.expires_ms is not None and self.expires_ms <= now_ms)

    def counts(self, provider: str | None, now_ms: int) -> bool:
        """Tell whether it may be used by a provider at a time."""
        return self.provider in (None, provider) and not self.ended(now_ms)


def check_name(name: str) -> str:
    """Return the name of a feedstock unchanged; raises ``FeedstockNameMalformed``."""
    try:
        check_package_name(name, Naming.LEGACY)
    except BadName:
        raise FeedstockNameMalformed(shown(name)) from None
    if name.endswith(SUFFIX):
        raise FeedstockNameMalformed(shown(name))
    return name


_BY_NAME = sa.select(t.feedstocks).where(
    t.feedstocks.c.channel_id == sa.bindparam("channel_id"), t.feedstocks.c.name == sa.bindparam("name")
)


def find(connection: Connection, channel_id: int, name: str) -> Feedstock | None:
    """Look a feedstock up by name."""
    row = connection.execute(_BY_NAME, {"channel_id": channel_id, "name": name}).first()
    return _from_row(row) if row is not None else None


def get(connection: Connection, channel: Channel, name: str) -> Feedstock:
    """Look a feedstock up by name; raises ``FeedstockMissing``."""
    feedstock = find(connection, channel.id, name)
    if feedstock is None:
        raise FeedstockMissing(channel.name, shown(name))
    return feedstock


def find_each(connection: Connection, channel_id: int, names: Iterable[str]) -> dict[str, Feedstock]:
    """Look feedstocks up by name; those that are not there are left out."""
    found = {}
    for some in chunks(sorted(set(names))):
        mine = sa.and_(t.feedstocks.c.channel_id == channel_id, t.feedstocks.c.name.in_(some))
        for row in connection.execute(sa.select(t.feedstocks).where(mine)):
            found[row.name] = _from_row(row)
    return found


def _from_row(row: sa.Row[Any]) -> Feedstock:
    return Feedstock(row.id, row.channel_id, row.name, row.created_ms, row.archived_ms)


def register(connection: Connection, channel_name: str, name: str, actor: Actor) -> tuple[Feedstock, bool]:
    """Register a feedstock; return it, and whether it is new. It may publish nothing until it has outputs.

    Raises:
        ChannelMissing: there is no such channel.
        FeedstockNameMalformed: no feedstock can have the name.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    there = find(connection, channel.id, name)
    if there is not None:
        return there, False
    revision = channels.next_revision(connection, channel)
    return ensure(connection, channel, [name], actor, revision)[0][name], True


def ensure(
    connection: Connection, channel: Channel, names: Iterable[str], actor: Actor, revision: int
) -> tuple[dict[str, Feedstock], int]:
    """Return the feedstocks of a locked channel, registering those that are not there, and how many these were.

    Raises:
        FeedstockNameMalformed: no feedstock can have one of the names.
    """
    wanted = sorted(set(names))
    found = find_each(connection, channel.id, wanted)
    new = [check_name(name) for name in wanted if name not in found]
    ids = reserve_ids(connection, t.feedstocks, len(new)) if new else ()
    made = [
        Feedstock(number, channel.id, name, actor.now_ms, None) for number, name in zip(ids, new, strict=True)
    ]
    columns = ("id", "channel_id", "name", "created_ms")
    insert_many(
        connection,
        t.feedstocks,
        columns,
        [(one.id, one.channel_id, one.name, one.created_ms) for one in made],
    )
    audit.record_each(
        connection,
        actor,
        (Change("feedstock.register", channel.name, one.name, after={}, revision=revision) for one in made),
    )
    return found | {one.name: one for one in made}, len(made)


def archive(connection: Connection, channel_name: str, name: str, actor: Actor) -> Feedstock:
    """Have a feedstock publish nothing more. Its outputs stay its own. Again changes nothing.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
    """
    return _set_archived(connection, channel_name, name, actor, actor.now_ms)


def unarchive(connection: Connection, channel_name: str, name: str, actor: Actor) -> Feedstock:
    """Let an archived feedstock publish again. Again changes nothing.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
    """
    return _set_archived(connection, channel_name, name, actor, None)


def _set_archived(
    connection: Connection, channel_name: str, name: str, actor: Actor, archived_ms: int | None
) -> Feedstock:
    channel = channels.lock(connection, [channel_name])[channel_name]
    feedstock = get(connection, channel, name)
    if (feedstock.archived_ms is None) == (archived_ms is None):
        return feedstock
    revision = channels.next_revision(connection, channel)
    mine = t.feedstocks.update().where(t.feedstocks.c.id == feedstock.id)
    connection.execute(mine.values(archived_ms=archived_ms))
    action = "feedstock.unarchive" if archived_ms is None else "feedstock.archive"
    before, after = {"archived_ms": feedstock.archived_ms}, {"archived_ms": archived_ms}
    audit.record(connection, actor, Change(action, channel_name, name, before, after, revision))
    return replace(feedstock, archived_ms=archived_ms)


def page(
    connection: Connection, channel_id: int, limit: int, after: str = "", *, archived: bool | None = None
) -> tuple[list[Feedstock], str]:
    """List the next feedstocks by name, and return with them what continues behind the last one: "" at the end.

    With ``archived`` only those that are archived, or only those that are not.
    """
    table = t.feedstocks
    query = sa.select(table).where(table.c.channel_id == channel_id, table.c.name > after)
    if archived is not None:
        query = query.where(table.c.archived_ms.is_not(None) if archived else table.c.archived_ms.is_(None))
    found = list(map(_from_row, connection.execute(query.order_by(table.c.name).limit(limit + 1))))
    return found[:limit], found[limit - 1].name if len(found) > limit else ""


_TOKENS = (
    sa.select(t.feedstock_tokens)
    .where(t.feedstock_tokens.c.feedstock_id == sa.bindparam("feedstock_id"))
    .order_by(t.feedstock_tokens.c.id)
)


def tokens_of(connection: Connection, feedstock_id: int) -> tuple[KeptToken, ...]:
    """Return what is kept of a feedstock's tokens, in the order in which they came, those that have ended too."""
    return tuple(map(kept_token, connection.execute(_TOKENS, {"feedstock_id": feedstock_id})))


def tokens_of_each(connection: Connection, feedstock_ids: Sequence[int]) -> dict[int, tuple[KeptToken, ...]]:
    """Return what is kept of the tokens of several feedstocks, each in the order in which they came."""
    table = t.feedstock_tokens
    found: dict[int, list[KeptToken]] = {}
    for some in chunks(feedstock_ids):
        query = sa.select(table).where(table.c.feedstock_id.in_(some)).order_by(table.c.id)
        for row in connection.execute(query):
            found.setdefault(row.feedstock_id, []).append(kept_token(row))
    return {feedstock_id: tuple(tokens) for feedstock_id, tokens in found.items()}


def kept_token(row: sa.Row[Any]) -> KeptToken:
    """Read a row of the table of tokens."""
    return KeptToken(row.id, row.salt, row.digest, row.provider, row.expires_ms)
