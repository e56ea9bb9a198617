"""``/channels/{channel}/feedstocks/{feedstock}/tokens``: with what the CI of a feedstock proves that it is it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, feedstocktokens
from channeld.catalog.feedstock_rejections import (
    FeedstockMissing,
    FeedstockNameMalformed,
    FeedstockTokenMissing,
    TooManyFeedstockTokens,
)
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.feedstocktokens import Digest, Listed
from channeld.catalog.grants import Verb
from channeld.promotion.feedstocktokens import (
    RANDOM_BYTES,
    FeedstockTokens,
    TokenFileMalformed,
    TokenRow,
)
from channeld.promotion.outputs import bare
from channeld.promotion.tokenchecks import TokenChecksBusy
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.shapes import Between, Length

_YEARS_100_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeedstockToken:
    """A token to make for a feedstock."""

    provider: Annotated[
        str | None,
        "The CI service that may use it, as it names itself in a request to copy: `azure`, `github_actions`, …; "
        "every one if left out.",
        Length(64),
    ] = None
    expires_in_seconds: Annotated[
        int | None, "When it ends, from now; never if left out.", Between(1, _YEARS_100_SECONDS)
    ] = None
    overlap_seconds: Annotated[
        int | None,
        "Rotation: the tokens that it replaces, those of its provider and those for every one, end so many seconds "
        "from now; 0 at once. If left out, they stay as they are.",
        Between(0, _YEARS_100_SECONDS),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockTokenState:
    """A token of a feedstock: all but its secret."""

    id: Annotated[int, "Its number."]
    provider: Annotated[str | None, "The CI service that may use it; null for every one."]
    created: Annotated[str, "When it came."]
    created_by: Annotated[str, "The id of the token, or the command, that made or imported it."]
    expires: Annotated[str | None, "When it ends."]
    revoked: Annotated[bool, "Whether it was revoked."]
    valid: Annotated[bool, "Whether it works now, unless the feedstock is archived."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockTokenMade:
    """A token just made."""

    token: Annotated[str, "The token itself. It is never shown again: only its scrypt is kept."]
    state: Annotated[FeedstockTokenState, "What is known of it."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockTokenList:
    """The tokens of a feedstock, in the order in which they came, those that have ended too."""

    tokens: Annotated[tuple[FeedstockTokenState, ...], "The tokens."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockTokensRevoked:
    """How many tokens were ended."""

    revoked: Annotated[int, "Tokens that were revoked now."]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFiles:
    """Tokens that conda-smithy made."""

    feedstocks: Annotated[
        dict[str, dict[str, Any]],
        "For each feedstock what its `tokens/<feedstock>.json` has: `tokens`, a list of objects with `salt`, "
        "`hashed_token`, `provider` and `expires_at`; or one such object.",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensImported:
    """What an import of tokens came to."""

    added: Annotated[int, "Tokens that were not known."]
    known: Annotated[int, "Tokens that were. None of them gets a later end; revoked ones stay revoked."]
    shortened: Annotated[int, "Known ones whose end is closer now."]
    ended: Annotated[int, "Tokens whose end has come; they are not kept."]
    registered: Annotated[int, "Feedstocks that were registered with it."]


def _state(call: Call, listed: Listed) -> FeedstockTokenState:
    token = listed.token
    return FeedstockTokenState(
        id=token.id,
        provider=token.provider,
        created=time_text(listed.created_ms),
        created_by=listed.created_by,
        expires=optional_time(token.expires_ms),
        revoked=token.revoked,
        valid=not token.ended(call.now_ms),
    )


def _find(connection: Connection, channel: str, name: str) -> Feedstock:
    return feedstocks.get(connection, channels.get(connection, channel), name)


async def list_(call: Call, channel: str, feedstock: str) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    name = bare(feedstock)
    found = await call.read(
        lambda connection: feedstocktokens.every(connection, _find(connection, channel, name))
    )
    return Reply(FeedstockTokenList(tokens=tuple(_state(call, each) for each in found)))


async def create(call: Call, channel: str, feedstock: str, body: NewFeedstockToken) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    name, actor = bare(feedstock), call.actor
    await call.read(lambda connection: _find(connection, channel, name))
    lasts, overlap = body.expires_in_seconds, body.overlap_seconds
    provider = body.provider or None
    made = await call.services.token_checks.make(secrets.token_bytes(RANDOM_BYTES))
    new = Digest(
        made.row.salt, made.row.digest, provider, None if lasts is None else actor.now_ms + lasts * 1000
    )
    overlap_ms = None if overlap is None else overlap * 1000
    kept = await call.write(
        lambda connection: feedstocktokens.add(connection, channel, name, new, actor, overlap_ms)
    )
    return Reply(FeedstockTokenMade(token=made.text, state=_state(call, kept)), 201)


async def revoke(call: Call, channel: str, feedstock: str, number: str) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    token_id = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1
    ended = await call.write(
        lambda connection: feedstocktokens.revoke(connection, channel, bare(feedstock), token_id, call.actor)
    )
    return Reply(_state(call, ended))


async def revoke_all(call: Call, channel: str, feedstock: str) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    count = await call.write(
        lambda connection: feedstocktokens.revoke_all(connection, channel, bare(feedstock), call.actor)
    )
    return Reply(FeedstockTokensRevoked(revoked=count))


async def import_(call: Call, channel: str, body: TokenFiles) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    files = {
        feedstocks.check_name(bare(name)): tuple(map(_digest, FeedstockTokens.of(value).rows))
        for name, value in body.feedstocks.items()
    }
    done = await call.write(
        lambda connection: feedstocktokens.import_(connection, channel, files, call.actor)
    )
    return Reply(
        TokensImported(
            added=done.added,
            known=done.known,
            shortened=done.shortened,
            ended=done.ended,
            registered=done.registered,
        )
    )


def _digest(row: TokenRow) -> Digest:
    # what is beyond all dates is no end, and may be too large to be a whole number
    end = None if row.expires_at is None else int(min(row.expires_at, 1e12) * 1000)
    return Digest(row.salt, row.digest, row.provider, end)


_PATH = "/channels/{channel}/feedstocks/{feedstock}/tokens"

ROUTES = (
    Route(
        "GET",
        _PATH,
        "List the tokens of a feedstock",
        list_,
        (Answer(200, "The tokens.", FeedstockTokenList),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing,),
    ),
    Route(
        "POST",
        _PATH,
        "Make a token for a feedstock, or rotate it",
        create,
        (Answer(201, "It works from now on.", FeedstockTokenMade),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing, TooManyFeedstockTokens, TokenChecksBusy),
        headers=(REASON,),
        text="Not to be repeated without a look: every request makes another token. At most four count at a time for "
        "one provider.",
    ),
    Route(
        "DELETE",
        _PATH,
        "Revoke all tokens of a feedstock",
        revoke_all,
        (Answer(200, "None of them works any more.", FeedstockTokensRevoked),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing,),
        headers=(REASON,),
    ),
    Route(
        "DELETE",
        f"{_PATH}/{{number}}",
        "Revoke a token of a feedstock",
        revoke,
        (Answer(200, "The token, which no longer works.", FeedstockTokenState),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing, FeedstockTokenMissing),
        headers=(REASON,),
    ),
    Route(
        "POST",
        "/channels/{channel}/feedstock-tokens",
        "Import tokens that conda-smithy made",
        import_,
        (Answer(200, "They work; the same again changes nothing.", TokensImported),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockNameMalformed, TokenFileMalformed, TooManyFeedstockTokens),
        headers=(REASON,),
        text="All of it or nothing. Feedstocks that are not registered are; that alone lets them publish nothing.",
    ),
)
