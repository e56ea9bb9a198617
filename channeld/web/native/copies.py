"""``/channels/{channel}/copies``: packages promoted from a staging channel, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from sqlalchemy import Connection

from channeld.catalog import channels, copies
from channeld.catalog.copies import Copy, Wanted
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.promotion.accepting import RequestKeyReused
from channeld.promotion.asking import Asked, Asker, Extent
from channeld.promotion.comments import comment
from channeld.promotion.distnames import DistName
from channeld.promotion.outcomes import Outcome, State
from channeld.promotion.tokenchecks import TooManyTokenChecks
from channeld.web.auth import NotAllowed, reason_of
from channeld.web.native.access import sight_of
from channeld.web.native.route import FEEDSTOCK, PREFIX, REASON, Answer, Call, Header, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.promotions import (
    MOST_OUTPUTS,
    PUBLICATION_SECONDS,
    CopyMissing,
    CopyRefused,
    FeedstockTokenInvalid,
    NothingPromotes,
    begin,
    check_outputs,
    finish,
    pair_into,
    prefers_async,
    request_key,
    vouch,
)
from channeld.web.rejections import BadRequest
from channeld.web.shapes import Between, Length
from channeld.web.uploads import preferred_wait

States = Literal["pinned", "checked", "done", "partly", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCopy:
    """Packages to copy into a channel, each named by its hash."""

    outputs: Annotated[
        dict[str, str],
        f"`<subdir>/<file name>` → hash of its bytes, in small hexadecimal digits. At most {MOST_OUTPUTS}.",
    ]
    label: Annotated[
        str, "The label that they carry on staging, and no other; they keep it.", Length(128)
    ] = "main"
    hash_type: Annotated[
        Literal["sha256", "md5"], "Which hash. By its md5 only what one candidate alone has is found."
    ] = "sha256"
    feedstock: Annotated[
        str,
        "The feedstock whose outputs they are, with or without `-feedstock`; its token comes as `Feedstock-Token`. "
        "Without one it is a copy by hand: the token of the server has to have the right `upload`.",
        Length(128),
    ] = ""
    staging: Annotated[
        str, "The channel to copy from: by default the one that promotes to the channel.", Length(128)
    ] = ""
    extent: Annotated[
        Literal["all", "survivors"], "What to do when some are refused: copy none, or the others."
    ] = "all"
    provider: Annotated[str | None, "The CI service, for tokens that are for one of them.", Length(64)] = None
    git_sha: Annotated[str | None, "The commit that was built.", Length(64)] = None
    comment: Annotated[bool, "Whether a refusal is told to the people of the feedstock."] = True
    dry_run: Annotated[bool, "Tell what would become of it, with all bytes checked, and change nothing."] = (
        False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedOutput:
    """One package of a copy."""

    output: Annotated[str, "`<subdir>/<file name>`."]
    state: Annotated[
        Literal["pinned", "checked", "there", "copied", "refused", "withheld"],
        "`pinned`: in order so far, its bytes are held on to; `checked`: they have been read and validated again; "
        "`copied`; `there`: the channel had it with these bytes and the label; `refused`; `withheld`: in order, and "
        "not copied because others were refused.",
    ]
    sha256: Annotated[str, "SHA-256 of the bytes that are meant, hex; empty while that is not known."]
    reason: Annotated[str, "Why it is refused."]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyState:
    """A copy, and how far it has come."""

    id: Annotated[str, "Its id; empty for a dry run."]
    state: Annotated[
        States,
        "`pinned`: decided, and its bytes are held on to; `checked`: they have been read, hashed and validated again; "
        "`done`: all is in the channel; `partly`: some of it; `refused`; `failed`: for trouble of the server.",
    ]
    channel: Annotated[str, "The channel that is copied into."]
    staging: Annotated[str, "The channel that is copied from."]
    feedstock: Annotated[str, "Without `-feedstock`; empty for a copy by hand."]
    label: Annotated[str, "The label."]
    outputs: Annotated[tuple[CopiedOutput, ...], "The packages."]
    errors: Annotated[tuple[str, ...], "Everything that is wrong, in words."]
    comment: Annotated[str, "What a bot would write on the feedstock about it; empty where nothing is wrong."]
    trouble: Annotated[str, "What kept it from going on when it was last tried."]
    revision: Annotated[int, "The revision of the channel that has it; 0 while none has."]
    times: Annotated[dict[str, str], "When it came to each state."]
    finished: Annotated[str | None, "When it came to its end."]
    dry_run: Annotated[bool, "Whether nothing was changed on purpose."]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyQuery:
    """Which copies to list."""

    feedstock: Annotated[str, "Of this feedstock, without `-feedstock`.", Length(128)] = ""
    state: Annotated[States | None, "In this state."] = None
    limit: Annotated[int, "Copies to a page.", Between(1, 1000)] = 100
    after: Annotated[str, "The `next` of the page before.", Length(100)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyList:
    """Copies, newest first."""

    copies: Annotated[tuple[CopyState, ...], "The copies."]
    next: Annotated[str, "To be given as `after` for the next page; empty at the end."]


async def start(call: Call, channel: str, body: NewCopy) -> Reply:
    check_outputs(body.outputs)
    asked = await (_of_feedstock if body.feedstock else _by_hand)(call, channel, body)
    if body.dry_run:
        rehearsal = await call.services.instance.copies.rehearsed(asked)
        return Reply(_rehearsed(asked, rehearsal.state, rehearsal.outcome))
    who = asked.asker.actor
    copy = await begin(call.services, asked, request_key(call.request, who))
    location = {"Location": f"{PREFIX}/channels/{channel}/copies/{copy.id}"}
    if prefers_async(call.request) and not State(copy.state).final:
        call.services.instance.copies.carry_out_later(copy)
        headers = {**location, "Preference-Applied": "respond-async"}
        return Reply(_shown(copy), status=202, headers=headers)
    done = await finish(call.services, copy, preferred_wait(call.request) or PUBLICATION_SECONDS)
    if done.state == State.REFUSED:
        raise CopyRefused(done.id, Outcome.read(done.outcome).errors)
    return Reply(_shown(done), status=201, headers=location)


async def _of_feedstock(call: Call, channel: str, body: NewCopy) -> Asked:
    pair = await pair_into(call.services, channel)
    vouched = await vouch(call.request, call.services, pair.production, body.feedstock, body.provider)
    asked = replace(_asked(channel, body.staging or pair.staging.name, body, vouched.asker))
    if vouched.proven:
        return asked
    if vouched.feedstock is not None and not body.dry_run:
        await begin(call.services, replace(asked, outputs={}))
    raise FeedstockTokenInvalid(body.feedstock)


async def _by_hand(call: Call, channel: str, body: NewCopy) -> Asked:
    """Make sure that a token of this server may copy these packages under this label.

    Raises:
        TokenRequired, TokenInvalid, NotAllowed, ChannelMissing, NothingPromotes: as they say.
    """
    token = await call.services.auth.token(call.request, "A copy by hand")
    if not may_allow(token.grants, Verb.UPLOAD, channel, body.label):
        raise NotAllowed(missing(token.grants, Verb.UPLOAD, channel, body.label))
    dists = map(DistName.parse, body.outputs)
    for package in sorted({dist.file.name for dist in dists if dist is not None}):
        call.services.auth.require(token, Verb.UPLOAD, channel, (body.label,), package)
    staging = body.staging or (await pair_into(call.services, channel)).staging.name
    (await sight_of(call, staging)).check(body.label)
    origin = call.services.origins.address(call.request)
    return _asked(channel, staging, body, Asker(token.id, origin, reason_of(call.request), token=token.id))


def _asked(channel: str, staging: str, body: NewCopy, asker: Asker) -> Asked:
    return Asked(
        channel=channel,
        staging=staging,
        repository=body.feedstock,
        label=body.label,
        outputs=body.outputs,
        asker=asker,
        hash_type=body.hash_type,
        extent=Extent(body.extent),
        provider=body.provider,
        git_sha=body.git_sha,
        tells=body.comment,
    )


async def get(call: Call, channel: str, copy: str) -> Reply:
    def find(connection: Connection) -> Copy | None:
        found = copies.find(connection, copy)
        return found if found and found.channel_id == channels.get(connection, channel).id else None

    found = await call.read(find)
    if found is None:
        raise CopyMissing(channel, copy)
    return Reply(_shown(found))


async def list_(call: Call, channel: str, query: CopyQuery) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    wanted = Wanted(query.feedstock, query.state or "")
    after = _place(query.after)
    found = await call.read(
        lambda connection: copies.page(
            connection, channels.get(connection, channel).id, wanted, query.limit + 1, after
        )
    )
    listed, last = found[: query.limit], found[query.limit - 1 : query.limit]
    more = f"{last[0].created_ms}-{last[0].id}" if len(found) > query.limit else ""
    return Reply(CopyList(copies=tuple(map(_shown, listed)), next=more))


def _place(text: str) -> tuple[int, str] | None:
    """Read where a page begins; raises ``BadRequest``."""
    if not text:
        return None
    created, dash, copy_id = text.partition("-")
    if not (dash and created.isascii() and created.isdigit() and len(created) < 18):
        raise BadRequest("'after' is not the `next` of another page")
    return int(created), copy_id


def _shown(copy: Copy) -> CopyState:
    asked, outcome = Asked.read(copy.asked), Outcome.read(copy.outcome)
    shown = _rehearsed(asked, State(copy.state), outcome)
    return replace(
        shown,
        id=copy.id,
        revision=copy.revision,
        finished=optional_time(copy.finished_ms),
        dry_run=False,
    )


def _rehearsed(asked: Asked, state: State, outcome: Outcome) -> CopyState:
    outputs = tuple(
        CopiedOutput(output=each.key, state=each.fate.value, sha256=each.sha256, reason=each.reason)
        for each in outcome.outputs
    )
    return CopyState(
        id="",
        state=state.value,
        channel=asked.channel,
        staging=asked.staging,
        feedstock=asked.feedstock,
        label=asked.label or "",
        outputs=outputs,
        errors=outcome.errors,
        comment=comment(asked, outcome) if outcome.errors else "",
        trouble=outcome.trouble,
        revision=0,
        times={name: time_text(ms) for name, ms in outcome.times.items()},
        finished=None,
        dry_run=True,
    )


_KEY = Header(
    "Idempotency-Key",
    "The client's own name for the request: sent again, it finds the copy that the first one became.",
)
_PREFER = Header(
    "Prefer",
    "`respond-async` (RFC 7240) has the answer come at once, with the copy's URL as its `Location`. `wait=<seconds>` "
    f"has it wait so long, instead of {PUBLICATION_SECONDS:g}, until what was copied is in the published indexes.",
)

ROUTES = (
    Route(
        "POST",
        "/channels/{channel}/copies",
        "Copy packages from a staging channel",
        start,
        (
            Answer(200, "What would become of it.", CopyState),
            Answer(201, "It is done, and in the published indexes.", CopyState),
            Answer(202, "It is under way.", CopyState),
        ),
        right=FEEDSTOCK,
        refusals=(
            CopyRefused,
            FeedstockTokenInvalid,
            NothingPromotes,
            RequestKeyReused,
            TooManyTokenChecks,
        ),
        headers=(
            Header("Feedstock-Token", "The token of the feedstock. `FEEDSTOCK_TOKEN` is taken as well."),
            _KEY,
            _PREFER,
            REASON,
        ),
        text="Each package is meant by its hash, has to carry the label and no other, and has to be an output of the "
        "feedstock. Its stored bytes are read, hashed and validated again before they come into the channel. All of "
        "the packages are copied, or none. What the channel has already with the same bytes is no error.",
    ),
    Route(
        "GET",
        "/channels/{channel}/copies/{copy}",
        "Show a copy",
        get,
        (Answer(200, "The copy.", CopyState),),
        refusals=(CopyMissing,),
        text="Ids cannot be guessed: who knows one may look.",
    ),
    Route(
        "GET",
        "/channels/{channel}/copies",
        "List copies, newest first",
        list_,
        (Answer(200, "A page of copies.", CopyList),),
        right=Verb.CONFIGURE,
    ),
)
