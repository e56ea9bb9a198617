"""``/tokens`` and ``/token``: who may do what."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from channeld.catalog import tokens
from channeld.catalog.grants import Grant, Verb
from channeld.catalog.rejections import BadSettingValue, GrantMalformed, TokenMissing
from channeld.catalog.tokens import Token
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.shapes import Between, Length

_YEARS_100_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to create."""

    name: Annotated[str, "What people call it.", Length(200)]
    grants: Annotated[
        tuple[dict[str, Any], ...],
        "What it may do: objects with `verbs` (a list of read, upload, label, delete, configure, admin) and the "
        "patterns `channels`, `labels` and `packages`, in which `*` stands for anything and `?` for one character; "
        "a pattern that is left out is `*`.",
    ]
    expires_in_seconds: Annotated[
        int | None, "When it ends, from now; never if left out.", Between(1, _YEARS_100_SECONDS)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """One thing that a token may do: its verbs, where all three patterns match."""

    verbs: Annotated[tuple[str, ...], "The rights."]
    channels: Annotated[str, "On which channels."]
    labels: Annotated[str, "On which labels."]
    packages: Annotated[str, "On which packages."]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """A token: all but its secret."""

    id: Annotated[str, "Its id, which is no secret."]
    name: Annotated[str, "What people call it."]
    grants: Annotated[tuple[TokenGrant, ...], "What it may do."]
    created: Annotated[str, "When it was made."]
    created_by: Annotated[str, "The id of the token, or the command, that made it."]
    expires: Annotated[str | None, "When it ends."]
    revoked: Annotated[str | None, "When it was revoked."]
    valid: Annotated[bool, "Whether it works now."]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    """A token just made."""

    token: Annotated[str, "The token itself. It is never shown again: only a hash of it is kept."]
    state: Annotated[TokenState, "What is known of it."]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenList:
    """All tokens, also those that have ended, in the order in which they were made."""

    tokens: Annotated[tuple[TokenState, ...], "The tokens."]


def _state(call: Call, token: Token) -> TokenState:
    return TokenState(
        id=token.id,
        name=token.name,
        grants=tuple(
            TokenGrant(
                verbs=tuple(sorted(grant.verbs)),
                channels=grant.channels,
                labels=grant.labels,
                packages=grant.packages,
            )
            for grant in token.grants
        ),
        created=time_text(token.created_ms),
        created_by=token.created_by,
        expires=optional_time(token.expires_ms),
        revoked=optional_time(token.revoked_ms),
        valid=token.valid(call.now_ms),
    )


async def create(call: Call, body: NewToken) -> Reply:
    call.require(Verb.ADMIN, None)
    grants = [Grant.parse(grant) for grant in body.grants]
    actor = call.actor
    lasts = body.expires_in_seconds
    expires_ms = None if lasts is None else actor.now_ms + lasts * 1000
    randomness = secrets.token_bytes(tokens.RANDOM_BYTES)
    made = await call.write(
        lambda connection: tokens.create(
            connection, body.name, grants, actor, randomness=randomness, expires_ms=expires_ms
        )
    )
    return Reply(TokenMade(token=made.text, state=_state(call, made.token)), 201)


async def list_(call: Call) -> Reply:
    call.require(Verb.ADMIN, None)
    found = await call.read(tokens.every)
    return Reply(TokenList(tokens=tuple(_state(call, token) for token in found)))


async def get_own(call: Call) -> Reply:
    return Reply(_state(call, call.token))


async def get(call: Call, token: str) -> Reply:
    if token != call.token.id:
        call.require(Verb.ADMIN, None)
    return Reply(_state(call, await call.read(lambda connection: tokens.get(connection, token))))


async def revoke(call: Call, token: str) -> Reply:
    if token != call.token.id:
        call.require(Verb.ADMIN, None)
    return Reply(
        _state(call, await call.write(lambda connection: tokens.revoke(connection, token, call.actor)))
    )


ROUTES = (
    Route(
        "GET",
        "/token",
        "Show the token that asks",
        get_own,
        (Answer(200, "The token.", TokenState),),
        right="",
    ),
    Route(
        "GET",
        "/tokens",
        "List tokens",
        list_,
        (Answer(200, "The tokens.", TokenList),),
        right=Verb.ADMIN,
    ),
    Route(
        "POST",
        "/tokens",
        "Create a token",
        create,
        (Answer(201, "It works from now on.", TokenMade),),
        right=Verb.ADMIN,
        refusals=(GrantMalformed, BadSettingValue),
        headers=(REASON,),
        text="Not to be repeated without a look: every request makes another token.",
    ),
    Route(
        "GET",
        "/tokens/{token}",
        "Show a token",
        get,
        (Answer(200, "The token.", TokenState),),
        right=Verb.ADMIN,
        refusals=(TokenMissing,),
        text="A token may look at itself without the right.",
    ),
    Route(
        "DELETE",
        "/tokens/{token}",
        "Revoke a token",
        revoke,
        (Answer(200, "The token, which no longer works.", TokenState),),
        right=Verb.ADMIN,
        refusals=(TokenMissing,),
        headers=(REASON,),
        text="A token may revoke itself without the right.",
    ),
)
