"""``/requests``: what administrators of a channel are asked for by files, as in conda-forge's ``admin-requests``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from aiohttp import hdrs

from channeld.cachepolicy import NO_STORE
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.promotion.applying import (
    Applied,
    RequestAboutStaging,
    RequestRefused,
    RequestWithoutChannel,
    entry_of,
)
from channeld.promotion.requestdocument import SIZE_LIMIT
from channeld.promotion.requestplans import Caller, Fate, right_for
from channeld.promotion.requestreading import read_request
from channeld.promotion.requests import RequestMalformed
from channeld.promotion.tokenchecks import TokenChecksBusy
from channeld.web.auth import NotAllowed
from channeld.web.bodies import check_announced, read_body, send_continue
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.shapes import Length

_JSON: Final = "application/json"
_STALL_SECONDS: Final = 20.0
#: What requests take.
_RIGHTS: Final = frozenset({Verb.LABEL, Verb.UPLOAD, Verb.CONFIGURE})

Outcomes = Literal["done", "would_be_done", "unchanged", "refused", "withheld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQuery:
    """How to apply a request."""

    channel: Annotated[str, "The channel that it is about if it does not say so itself.", Length(128)] = ""
    dry_run: Annotated[bool, "Tell what would become of it, and change nothing."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEntry:
    """One entry of a request."""

    key: Annotated[str, "Where it stands in the request: `packages[0]`."]
    subject: Annotated[str, "What it is about."]
    outcome: Annotated[
        Outcomes,
        "`done`; `would_be_done`, in a dry run; `unchanged`: it was so already; `refused`; `withheld`: in order, and "
        "not done because others are refused.",
    ]
    text: Annotated[str, "Why it is refused; of others, what else there is to know."]
    rule: Annotated[str, "The rule that refuses it, for programs."]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestToken:
    """A token that was made for a feedstock."""

    feedstock: Annotated[str, "The feedstock, without `-feedstock`."]
    provider: Annotated[str, "The CI service that may use it."]
    token: Annotated[str, "The token itself. It is never shown again: only its scrypt is kept."]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOutcome:
    """What became of a request, or would."""

    channel: Annotated[str, "The channel that it is about."]
    action: Annotated[str, "What was asked for."]
    outcome: Annotated[Outcomes, "What became of it as a whole."]
    entries: Annotated[tuple[RequestEntry, ...], "Its entries, in their order."]
    revision: Annotated[int, "The revision of the channel that has it; 0 when nothing changed."]
    tokens: Annotated[tuple[RequestToken, ...], "The tokens that a reset made."]
    dry_run: Annotated[bool, "Whether nothing was changed on purpose."]


async def apply(call: Call, query: RequestQuery) -> Reply:
    _check_possible(call)
    data = await _body(call)
    syntax: Literal["json", "yaml"] = "json" if call.request.content_type == _JSON else "yaml"
    request = await asyncio.to_thread(read_request, data, syntax, "The request")
    channel = request.channel or query.channel
    if not channel:
        raise RequestWithoutChannel("The request")
    grants = call.token.grants
    verb, label = right_for(request.work)
    if not may_allow(grants, verb, channel, label):
        raise NotAllowed(missing(grants, verb, channel, label))
    actor = replace(call.actor, reason=request.reason or call.actor.reason)
    caller, requests = Caller(actor, grants), call.services.instance.requests
    if query.dry_run:
        return Reply(_outcome(await requests.rehearse(request, channel, caller), dry_run=True))
    applied = await requests.apply(request, channel, caller, call.services.token_checks.make)
    if applied.fate is Fate.REFUSED:
        raise RequestRefused.of(applied)
    if applied.revision:
        call.services.wake()
    return Reply(_outcome(applied, dry_run=False), headers={hdrs.CACHE_CONTROL: NO_STORE})


def _check_possible(call: Call) -> None:
    """Refuse who could apply no request at all, before its body is asked for."""
    if not any(_RIGHTS & grant.verbs for grant in call.token.grants):
        rights = ", ".join(map(repr, sorted(_RIGHTS)))
        raise NotAllowed(f"This needs a token with one of the rights {rights}.")


async def _body(call: Call) -> bytes:
    check_announced(call.request, SIZE_LIMIT)
    await send_continue(call.request)
    return b"".join([chunk async for chunk in read_body(call.request, SIZE_LIMIT, _STALL_SECONDS)])


def _outcome(applied: Applied, *, dry_run: bool) -> RequestOutcome:
    return RequestOutcome(
        channel=applied.channel,
        action=applied.action,
        outcome=applied.fate.value,
        entries=tuple(_entry(entry_of(step)) for step in applied.steps),
        revision=applied.revision,
        tokens=tuple(
            RequestToken(feedstock=token.feedstock, provider=token.provider, token=token.text)
            for token in applied.tokens
        ),
        dry_run=dry_run,
    )


def _entry(entry: dict[str, Any]) -> RequestEntry:
    return RequestEntry(**entry)


ROUTES = (
    Route(
        "POST",
        "/requests",
        "Apply a request",
        apply,
        (Answer(200, "What became of each of its entries, or would.", RequestOutcome),),
        right="",
        refusals=(
            RequestMalformed,
            RequestWithoutChannel,
            RequestAboutStaging,
            RequestRefused,
            NotAllowed,
            TokenChecksBusy,
        ),
        headers=(REASON,),
        raw_body="application/yaml",
        text="The body is one request of conda-forge's `admin-requests`, in YAML, or in JSON with the `Content-Type` "
        "`application/json`. It is done whole or not at all, and again it changes nothing, but for `token_reset`, "
        "which makes new tokens every time. Each entry takes a right: `label` on the label `broken` for marks, "
        "`upload` on the label for copies, `configure` on the channel for feedstocks, outputs and tokens. A dry run is "
        "answered with 200 also where entries would be refused.",
    ),
)
