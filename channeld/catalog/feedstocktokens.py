"""The tokens of feedstocks: added, rotated, revoked and imported. ``feedstocks`` reads them.

Their rows stay, and so does the salt of one that was revoked: whoever imports an old file does not bring back what was
revoked or rotated here. What a token is, and how its digest is made, ``promotion.feedstocktokens`` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit, channels, feedstocks
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import FeedstockTokenMissing, TooManyFeedstockTokens
from channeld.catalog.feedstocks import MOST_THAT_COUNT, Feedstock, KeptToken
from channeld.catalog.manyrows import insert_many, reserve_ids

#: Later than all times that can be written as dates: an end that is no end.
_FOR_EVER_MS = 253_402_300_800_000


@dataclass(frozen=True, slots=True)
class Digest:
    """A token that is to be kept."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    #: The CI service that may use it; None for all.
    provider: str | None = None
    expires_ms: int | None = None

    @property
    def end_ms(self) -> int | None:
        """Its end; None for one that nobody lives to see."""
        end = self.expires_ms
        return None if end is None or end >= _FOR_EVER_MS else max(0, end)


@dataclass(frozen=True, slots=True)
class Listed:
    """A token of a feedstock: all but what verifies it."""

    token: KeptToken
    created_ms: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import of tokens came to."""

    added: int
    #: Those that were there.
    known: int
    #: Those of them whose end is closer now.
    shortened: int
    #: Those whose end has come; they are not kept.
    ended: int
    #: Feedstocks that were not registered yet.
    registered: int


def every(connection: Connection, feedstock: Feedstock) -> list[Listed]:
    """List the tokens of a feedstock, in the order in which they came, those that have ended too."""
    table = t.feedstock_tokens
    mine = sa.select(table).where(table.c.feedstock_id == feedstock.id).order_by(table.c.id)
    return [
        Listed(feedstocks.kept_token(row), row.created_ms, row.created_by) for row in connection.execute(mine)
    ]


def add(
    connection: Connection,
    channel_name: str,
    name: str,
    new: Digest,
    actor: Actor,
    overlap_ms: int | None = None,
) -> Listed:
    """Add a token.

    Args:
        overlap_ms: end those that the new one replaces as many milliseconds from now: its provider's, and those for
            every provider. 0 ends them at once; None leaves them as they are.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
        TooManyFeedstockTokens: too many would count at a time.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    feedstock = feedstocks.get(connection, channel, name)
    before = feedstocks.tokens_of(connection, feedstock.id)
    staying = before
    if overlap_ms is not None:
        end = actor.now_ms + overlap_ms
        staying = tuple(_ending(token, end) if _replaces(new, token) else token for token in before)
    (added,) = _kept(connection, [new])
    _check_number(name, [*staying, added], actor.now_ms)
    revision = channels.next_revision(connection, channel)
    _update(connection, before, staying)
    _insert(connection, [(feedstock.id, added)], actor)
    told = _told(before, actor), _told((*staying, added), actor)
    audit.record(connection, actor, Change("feedstock_token.create", channel_name, name, *told, revision))
    return Listed(added, actor.now_ms, actor.id)


def check_reset(
    connection: Connection,
    feedstock: Feedstock,
    providers: Sequence[str | None],
    now_ms: int,
    overlap_ms: int,
) -> None:
    """Check, changing nothing, that ``reset`` would take a token for each of the providers.

    Raises:
        TooManyFeedstockTokens: too many would count at a time.
    """
    before = feedstocks.tokens_of(connection, feedstock.id)
    coming = [KeptToken(0, b"new", b"new", provider, None) for provider in providers]
    _check_number(feedstock.name, [*_all_ending(before, now_ms, overlap_ms), *coming], now_ms)


def reset(
    connection: Connection,
    channel_name: str,
    name: str,
    new: Sequence[Digest],
    actor: Actor,
    overlap_ms: int = 0,
) -> None:
    """Give a feedstock new tokens, and end all that it has so many milliseconds from now; 0 revokes them.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
        TooManyFeedstockTokens: too many would count at a time.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    feedstock = feedstocks.get(connection, channel, name)
    before = feedstocks.tokens_of(connection, feedstock.id)
    staying = _all_ending(before, actor.now_ms, overlap_ms)
    added = _kept(connection, new)
    _check_number(name, [*staying, *added], actor.now_ms)
    revision = channels.next_revision(connection, channel)
    _update(connection, before, staying)
    _insert(connection, [(feedstock.id, token) for token in added], actor)
    told = _told(before, actor), _told([*staying, *added], actor)
    audit.record(connection, actor, Change("feedstock_token.reset", channel_name, name, *told, revision))


def _all_ending(tokens: Iterable[KeptToken], now_ms: int, overlap_ms: int) -> list[KeptToken]:
    """Return tokens as they are when all of them are to end after a while, or are revoked now."""
    if not overlap_ms:
        return [token if token.revoked else _revoked(token, now_ms) for token in tokens]
    return [_ending(token, now_ms + overlap_ms) for token in tokens]


def _replaces(new: Digest, token: KeptToken) -> bool:
    return token.provider in (None, new.provider)


def _ending(token: KeptToken, end_ms: int) -> KeptToken:
    if token.expires_ms is not None and token.expires_ms <= end_ms:
        return token
    return replace(token, expires_ms=end_ms)


def _kept(connection: Connection, new: Sequence[Digest]) -> list[KeptToken]:
    """Return what will be kept of new tokens."""
    ids = reserve_ids(connection, t.feedstock_tokens, len(new))
    return [
        KeptToken(number, one.salt, one.digest, one.provider, one.end_ms)
        for number, one in zip(ids, new, strict=True)
    ]


def _check_number(feedstock: str, tokens: Iterable[KeptToken], now_ms: int) -> None:
    """Raise ``TooManyFeedstockTokens`` if a provider could use too many."""
    alive = [token for token in tokens if not token.ended(now_ms)]
    for provider in dict.fromkeys([None, *(token.provider for token in alive)]):
        if sum(token.counts(provider, now_ms) for token in alive) > MOST_THAT_COUNT:
            raise TooManyFeedstockTokens(feedstock, provider, MOST_THAT_COUNT)


def _update(connection: Connection, before: Iterable[KeptToken], after: Iterable[KeptToken]) -> int:
    """Change the rows of tokens that are not as they were, and count them."""
    changed = [(one, now) for one, now in zip(before, after, strict=True) if one != now]
    for one, now in changed:
        mine = t.feedstock_tokens.update().where(t.feedstock_tokens.c.id == one.id)
        connection.execute(mine.values(digest=now.digest, expires_ms=now.expires_ms))
    return len(changed)


_COLUMNS = ("id", "feedstock_id", "salt", "digest", "provider", "expires_ms", "created_ms", "created_by")


def _insert(connection: Connection, rows: Iterable[tuple[int, KeptToken]], actor: Actor) -> None:
    values = [
        (one.id, feedstock_id, one.salt, one.digest, one.provider, one.expires_ms, actor.now_ms, actor.id)
        for feedstock_id, one in rows
    ]
    insert_many(connection, t.feedstock_tokens, _COLUMNS, values)


def _told(tokens: Iterable[KeptToken], actor: Actor) -> list[dict[str, Any]]:
    """Return what the audit is told of tokens: those that have not ended, and nothing secret."""
    return [
        {"id": token.id, "provider": token.provider, "expires_ms": token.expires_ms}
        for token in tokens
        if not token.ended(actor.now_ms)
    ]


def revoke(connection: Connection, channel_name: str, name: str, token_id: int, actor: Actor) -> Listed:
    """End a token, at once and for ever. Revoking it again changes nothing.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
        FeedstockTokenMissing: the feedstock never had such a token.
    """
    feedstock, _ = _revoke(connection, channel_name, name, actor, token_id)
    for listed in every(connection, feedstock):
        if listed.token.id == token_id:
            return listed
    raise FeedstockTokenMissing(channel_name, name, token_id)


def revoke_all(connection: Connection, channel_name: str, name: str, actor: Actor) -> int:
    """End all tokens of a feedstock; return of how many this was not so before.

    Raises:
        ChannelMissing, FeedstockMissing: as they say.
    """
    return _revoke(connection, channel_name, name, actor, None)[1]


def _revoke(
    connection: Connection, channel_name: str, name: str, actor: Actor, token_id: int | None
) -> tuple[Feedstock, int]:
    channel = channels.lock(connection, [channel_name])[channel_name]
    feedstock = feedstocks.get(connection, channel, name)
    before = feedstocks.tokens_of(connection, feedstock.id)
    after = [
        _revoked(token, actor.now_ms) if token_id in (None, token.id) and not token.revoked else token
        for token in before
    ]
    changed = _update(connection, before, after)
    if changed:
        revision = channels.next_revision(connection, channel)
        told = _told(before, actor), _told(after, actor)
        change = Change("feedstock_token.revoke", channel_name, name, *told, revision)
        audit.record(connection, actor, change)
    return feedstock, changed


def _revoked(token: KeptToken, now_ms: int) -> KeptToken:
    return replace(_ending(token, now_ms), digest=b"")


def import_(
    connection: Connection, channel_name: str, files: Mapping[str, Sequence[Digest]], actor: Actor
) -> Imported:
    """Keep tokens that were made elsewhere, by feedstock; feedstocks that are not there are registered.

    Of one that is known, by its salt and digest, the end may come closer; nothing else changes, and none is taken away.
    The same again changes nothing.

    Raises:
        ChannelMissing: there is no such channel.
        FeedstockNameMalformed: no feedstock can have one of the names.
        TooManyFeedstockTokens: too many of one would count at a time.
    """
    channel = channels.lock(connection, [channel_name])[channel_name]
    known = feedstocks.find_each(connection, channel.id, files)
    kept = feedstocks.tokens_of_each(connection, [one.id for one in known.values()])
    merged = {
        name: _merged(name, kept.get(known[name].id, ()) if name in known else (), tokens, actor.now_ms)
        for name, tokens in files.items()
    }
    changing = {name: one for name, one in merged.items() if one.new or one.before != one.after}
    registered = 0
    if changing or len(known) < len(files):
        revision = channels.next_revision(connection, channel)
        known, registered = feedstocks.ensure(connection, channel, files, actor, revision)
        _merge(connection, channel, [(known[name], one) for name, one in changing.items()], actor, revision)
    return Imported(
        added=sum(len(one.new) for one in merged.values()),
        known=sum(one.known for one in merged.values()),
        shortened=sum(
            was != now for one in merged.values() for was, now in zip(one.before, one.after, strict=True)
        ),
        ended=sum(one.ended for one in merged.values()),
        registered=registered,
    )


@dataclass(frozen=True, slots=True)
class _Merged:
    """What a feedstock's tokens come to: those that it had, before and after, and new ones."""

    before: tuple[KeptToken, ...]
    after: tuple[KeptToken, ...]
    new: tuple[Digest, ...]
    known: int
    ended: int


def _merged(name: str, before: tuple[KeptToken, ...], tokens: Sequence[Digest], now_ms: int) -> _Merged:
    revoked = {token.salt for token in before if token.revoked}
    there = {(token.salt, token.digest): token for token in before}
    new: dict[tuple[bytes, bytes], Digest] = {}
    known = ended = 0
    for one in tokens:
        place, end = (one.salt, one.digest), one.end_ms
        if place in there or one.salt in revoked:
            known += 1
            if place in there and end is not None:
                there[place] = _ending(there[place], end)
        elif end is not None and end <= now_ms:
            ended += 1
        else:
            new[place] = one
    coming = [KeptToken(0, one.salt, one.digest, one.provider, one.end_ms) for one in new.values()]
    if coming:
        _check_number(name, [*there.values(), *coming], now_ms)
    return _Merged(before, tuple(there.values()), tuple(new.values()), known, ended)


def _merge(
    connection: Connection,
    channel: Channel,
    changing: Sequence[tuple[Feedstock, _Merged]],
    actor: Actor,
    revision: int,
) -> None:
    coming = iter(_kept(connection, [new for _, merged in changing for new in merged.new]))
    rows, changes = [], []
    for feedstock, merged in changing:
        _update(connection, merged.before, merged.after)
        added = [next(coming) for _ in merged.new]
        rows += [(feedstock.id, token) for token in added]
        told = _told(merged.before, actor), _told([*merged.after, *added], actor)
        changes.append(Change("feedstock_token.import", channel.name, feedstock.name, *told, revision))
    _insert(connection, rows, actor)
    audit.record_each(connection, actor, changes)
