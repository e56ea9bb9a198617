"""Resetting the tokens of feedstocks: new ones are made, and those of today end.

A token takes a scrypt, so they are made before the transaction that keeps them, one after the other: others want theirs
verified meanwhile. Their texts are handed to whoever asked for the reset, once; neither the catalog nor a log has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from channeld.catalog import feedstocks, feedstocktokens
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import TooManyFeedstockTokens
from channeld.catalog.feedstocktokens import Digest
from channeld.promotion.feedstocktokens import RANDOM_BYTES, NewFeedstockToken
from channeld.promotion.requestplans import Caller, Fate, Step, refusal_of_feedstock
from channeld.promotion.requests import TokenReset


class MakeToken(Protocol):
    """Makes a token off the event loop (``tokenchecks.TokenChecks.make``)."""

    async def __call__(self, randomness: bytes, provider: str | None = None) -> NewFeedstockToken: ...


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token just made, for one feedstock and one CI service."""

    feedstock: str
    provider: str
    digest: Digest = field(repr=False)
    #: It is never shown again.
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResetPlan:
    """Feedstocks whose tokens are to be reset, and the new ones."""

    steps: Sequence[Step]
    tokens: Sequence[MadeToken] = field(repr=False)
    overlap_ms: int

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        for step in self.steps:
            name = str(step.entry)
            new = [token.digest for token in self.tokens if token.feedstock == name]
            feedstocktokens.reset(connection, channel.name, name, new, actor, self.overlap_ms)


def plan_reset(
    connection: Connection,
    channel: Channel,
    work: TokenReset,
    caller: Caller,
    tokens: Sequence[MadeToken] = (),
) -> ResetPlan:
    """Plan to reset the tokens of feedstocks. There is always something to do."""
    found = feedstocks.find_each(connection, channel.id, [entry.feedstock for entry in work.entries])
    now_ms, overlap_ms = caller.actor.now_ms, work.overlap_seconds * 1000
    steps = []
    for entry in work.entries:
        feedstock = found.get(entry.feedstock)
        step = refusal_of_feedstock(entry, channel, feedstock, entry.feedstock, caller)
        if step is None and feedstock is not None:
            step = Step(entry, Fate.WOULD_BE_DONE)
            try:
                feedstocktokens.check_reset(connection, feedstock, work.providers, now_ms, overlap_ms)
            except TooManyFeedstockTokens as error:
                step = Step.refused(entry, error)
        if step is not None:
            steps.append(step)
    return ResetPlan(steps, tokens, overlap_ms)


async def make_tokens(
    work: TokenReset, make_token: MakeToken, randomness: Callable[[int], bytes]
) -> tuple[MadeToken, ...]:
    """Make the tokens of a reset.

    Raises:
        TokenChecksBusy: too many are being verified.
    """
    made = []
    for entry in work.entries:
        for provider in work.providers:
            new = await make_token(randomness(RANDOM_BYTES), provider)
            digest = Digest(new.row.salt, new.row.digest, provider)
            made.append(MadeToken(entry.feedstock, provider, digest, new.text))
    return tuple(made)
