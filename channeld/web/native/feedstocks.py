"""``/channels/{channel}/feedstocks``: who publishes into a channel with tokens of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import FeedstockMissing, FeedstockNameMalformed
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.grants import Verb
from channeld.formats.rejections import BadName
from channeld.promotion import registering
from channeld.promotion.globs import GlobMalformed
from channeld.promotion.outputs import bare
from channeld.promotion.registering import Wanted
from channeld.web.native.access import sight_of
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import optional_time, time_text
from channeld.web.rejections import FieldWrong
from channeld.web.shapes import Between, Length

NAME_LIMIT: Final = 128
#: Outputs and globs that one request may register: it holds up every other change of the channel.
ENTRIES_LIMIT: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeedstock:
    """A feedstock to register, with what it may publish."""

    name: Annotated[str, "Its name; `-feedstock` at its end is left out.", Length(NAME_LIMIT)]
    outputs: Annotated[tuple[str, ...], "Names of packages that it may publish.", Length(NAME_LIMIT)] = ()
    globs: Annotated[
        tuple[str, ...],
        "Globs: it may publish packages whose names match one of them, and the first copy registers those that nobody "
        "has. `*` is any run of characters, `?` any one, `[a-z]` and `[!a-z]` one of some, as in Python's fnmatch.",
        Length(256),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockChanges:
    """What is to change about a feedstock."""

    archived: Annotated[bool, "Whether it publishes nothing more. Its outputs stay its own."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockState:
    """A feedstock."""

    name: Annotated[str, "Its name, without `-feedstock`."]
    created: Annotated[str, "When it was registered."]
    archived: Annotated[str | None, "Since when it publishes nothing; null while it may."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockDetails:
    """A feedstock, with how much it has. `outputs` and `globs` list what that is."""

    name: Annotated[str, "Its name, without `-feedstock`."]
    created: Annotated[str, "When it was registered."]
    archived: Annotated[str | None, "Since when it publishes nothing; null while it may."]
    outputs: Annotated[int, "Outputs that are registered for it."]
    globs: Annotated[int, "Globs that it has."]
    tokens: Annotated[int, "Tokens that it may use now."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockPage:
    """Feedstocks, by name."""

    feedstocks: Annotated[tuple[FeedstockState, ...], "The feedstocks."]
    next: Annotated[str, "To be given as `after` for the next page; empty at the end."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedstockQuery:
    """Which feedstocks to list."""

    archived: Annotated[bool | None, "Only those that are archived, or only those that are not."] = None
    limit: Annotated[int, "Feedstocks to a page.", Between(1, 1000)] = 100
    after: Annotated[str, "The `next` of the page before.", Length(NAME_LIMIT)] = ""


def _state(feedstock: Feedstock) -> FeedstockState:
    return FeedstockState(
        name=feedstock.name,
        created=time_text(feedstock.created_ms),
        archived=optional_time(feedstock.archived_ms),
    )


def _details(call: Call, connection: Connection, channel: Channel, name: str) -> FeedstockDetails:
    feedstock = feedstocks.get(connection, channel, name)
    tokens = feedstocks.tokens_of(connection, feedstock.id)
    return FeedstockDetails(
        name=feedstock.name,
        created=time_text(feedstock.created_ms),
        archived=optional_time(feedstock.archived_ms),
        outputs=outputs.count(connection, feedstock),
        globs=outputs.count_globs(connection, feedstock),
        tokens=sum(not token.ended(call.now_ms) for token in tokens),
    )


async def list_(call: Call, channel: str, query: FeedstockQuery) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(None)
    found, after = await call.read(
        lambda connection: feedstocks.page(
            connection, sight.channel.id, query.limit, query.after, archived=query.archived
        )
    )
    return Reply(FeedstockPage(feedstocks=tuple(map(_state, found)), next=after))


async def get(call: Call, channel: str, feedstock: str) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(None)
    return Reply(
        await call.read(lambda connection: _details(call, connection, sight.channel, bare(feedstock)))
    )


async def register(call: Call, channel: str, body: NewFeedstock) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    check_number(len(body.outputs) + len(body.globs))
    name = feedstocks.check_name(bare(body.name))
    wanted = Wanted.for_one(name, body.outputs, body.globs)

    def work(connection: Connection) -> tuple[bool, FeedstockDetails]:
        done = registering.import_(connection, channel, wanted, call.actor, [name])
        return bool(done.feedstocks), _details(call, connection, channels.get(connection, channel), name)

    new, state = await call.write(work)
    return Reply(state, 201 if new else 200)


def check_number(entries: int) -> None:
    """Make sure that a request does not register too much at a time; raises ``BadField``."""
    if entries > ENTRIES_LIMIT:
        raise FieldWrong(
            "outputs", f"{entries:,}", f"at most {ENTRIES_LIMIT:,} at a time, globs counted with them"
        )


async def configure(call: Call, channel: str, feedstock: str, body: FeedstockChanges) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    name = bare(feedstock)

    def work(connection: Connection) -> FeedstockDetails:
        change = feedstocks.archive if body.archived else feedstocks.unarchive
        change(connection, channel, name, call.actor)
        return _details(call, connection, channels.get(connection, channel), name)

    return Reply(await call.write(work))


ROUTES = (
    Route(
        "GET",
        "/channels/{channel}/feedstocks",
        "List feedstocks",
        list_,
        (Answer(200, "A page of feedstocks.", FeedstockPage),),
    ),
    Route(
        "POST",
        "/channels/{channel}/feedstocks",
        "Register a feedstock",
        register,
        (
            Answer(201, "It is registered, and may publish the outputs that it came with.", FeedstockDetails),
            Answer(
                200, "It was registered already, and has these outputs and globs now too.", FeedstockDetails
            ),
        ),
        right=Verb.CONFIGURE,
        refusals=(FeedstockNameMalformed, BadName, GlobMalformed),
        headers=(REASON,),
        text="It publishes with a token of its own, which is made below `tokens`.",
    ),
    Route(
        "GET",
        "/channels/{channel}/feedstocks/{feedstock}",
        "Show a feedstock",
        get,
        (Answer(200, "The feedstock.", FeedstockDetails),),
        refusals=(FeedstockMissing,),
    ),
    Route(
        "PATCH",
        "/channels/{channel}/feedstocks/{feedstock}",
        "Archive a feedstock, or bring it back",
        configure,
        (Answer(200, "The feedstock as it is now.", FeedstockDetails),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing,),
        headers=(REASON,),
    ),
)
