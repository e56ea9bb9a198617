"""``/channels/{channel}/outputs`` and ``/globs``: which feedstock may publish which package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog.feedstock_rejections import (
    FeedstockMissing,
    FeedstockNameMalformed,
    GlobMissing,
    OutputNotRegistered,
)
from channeld.catalog.grants import Verb
from channeld.catalog.outputs import Owned
from channeld.formats.rejections import BadName
from channeld.promotion import registering
from channeld.promotion.globs import GLOB_LIMIT, GlobMalformed
from channeld.promotion.outputs import bare
from channeld.promotion.registering import Registered, Wanted
from channeld.promotion.registry import OutputRegistry, Publishers
from channeld.web.native.access import sight_of
from channeld.web.native.feedstocks import ENTRIES_LIMIT, NAME_LIMIT, check_number
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.shapes import Between, Length

_Feedstock = Annotated[str, "The feedstock, without `-feedstock` or with it.", Length(NAME_LIMIT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOutputs:
    """Outputs and globs that a feedstock is to have besides those that it has."""

    feedstock: _Feedstock
    outputs: Annotated[tuple[str, ...], "Names of packages.", Length(NAME_LIMIT)] = ()
    globs: Annotated[tuple[str, ...], "Globs for the names of new packages.", Length(GLOB_LIMIT)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPart:
    """A part of a registry of outputs, as conda-forge's `feedstock-outputs` has it."""

    outputs: Annotated[
        dict[str, tuple[str, ...]], "For each output the feedstocks that it is registered for."
    ]
    globs: Annotated[dict[str, tuple[str, ...]], "For each feedstock its globs."]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsRegistered:
    """How much was new."""

    feedstocks: Annotated[int, "Feedstocks that were registered with it."]
    outputs: Annotated[int, "Outputs that were registered for a feedstock."]
    globs: Annotated[int, "Globs that were added."]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputState:
    """An output, and whose it is."""

    name: Annotated[str, "The name of the package, in lower case."]
    feedstocks: Annotated[
        tuple[str, ...], "The feedstocks that it is registered for, in the order of registration."
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPage:
    """Outputs, by name."""

    outputs: Annotated[tuple[OutputState, ...], "The outputs."]
    next: Annotated[str, "To be given as `after` for the next page; empty at the end."]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputQuery:
    """Which outputs to list."""

    feedstock: Annotated[str, "Those of this feedstock.", Length(NAME_LIMIT)] = ""
    limit: Annotated[int, "Outputs to a page.", Between(1, 1000)] = 100
    after: Annotated[str, "The `next` of the page before.", Length(NAME_LIMIT)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedBy:
    """A glob that matches."""

    feedstock: Annotated[str, "Whose it is."]
    glob: Annotated[str, "The glob."]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPublishers:
    """Who may publish a package of some name."""

    name: Annotated[str, "The name that was asked for."]
    feedstocks: Annotated[
        tuple[str, ...], "The feedstocks that may: all of the following that are not archived, by name."
    ]
    registered: Annotated[tuple[str, ...], "The feedstocks that it is registered for."]
    matched: Annotated[tuple[MatchedBy, ...], "One glob of each feedstock that has one which matches."]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobState:
    """A glob of a feedstock."""

    feedstock: Annotated[str, "Whose it is."]
    glob: Annotated[str, "The glob."]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobPage:
    """Globs, in the order in which they were added."""

    globs: Annotated[tuple[GlobState, ...], "The globs."]
    next: Annotated[int | None, "To be given as `after` for the next page; null at the end."]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobQuery:
    """Which globs to list."""

    feedstock: Annotated[str, "Those of this feedstock.", Length(NAME_LIMIT)] = ""
    limit: Annotated[int, "Globs to a page.", Between(1, 1000)] = 100
    after: Annotated[int, "The `next` of the page before.", Between(0, 2**62)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFeedstock:
    """From whom an output is to be taken."""

    feedstock: _Feedstock


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobOfFeedstock:
    """Which glob is to be removed."""

    feedstock: _Feedstock
    glob: Annotated[str, "The glob, letter for letter.", Length(GLOB_LIMIT)]


async def list_(call: Call, channel: str, query: OutputQuery) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(None)

    def find(connection: Connection) -> tuple[list[Owned], str]:
        return outputs.page(
            connection,
            sight.channel.id,
            query.limit,
            query.after,
            feedstock=feedstocks.get(connection, sight.channel, bare(query.feedstock))
            if query.feedstock
            else None,
        )

    found, after = await call.read(find)
    states = tuple(OutputState(name=each.output, feedstocks=each.feedstocks) for each in found)
    return Reply(OutputPage(outputs=states, next=after))


async def get(call: Call, channel: str, output: str) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(None)

    def find(connection: Connection) -> tuple[Publishers, list[str]]:
        publishers = OutputRegistry().publishers(connection, sight.channel.id, output)
        names = {*publishers.registered, *publishers.matched}
        known = feedstocks.find_each(connection, sight.channel.id, names)
        return publishers, sorted(name for name, one in known.items() if one.archived_ms is None)

    publishers, allowed = await call.read(find)
    return Reply(
        OutputPublishers(
            name=output,
            feedstocks=tuple(allowed),
            registered=publishers.registered,
            matched=tuple(
                MatchedBy(feedstock=feedstock, glob=glob) for feedstock, glob in publishers.matched.items()
            ),
        )
    )


async def add(call: Call, channel: str, body: NewOutputs) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    check_number(len(body.outputs) + len(body.globs))
    wanted = Wanted.for_one(feedstocks.check_name(bare(body.feedstock)), body.outputs, body.globs)
    done = await call.write(lambda connection: registering.add(connection, channel, wanted, call.actor))
    return Reply(_registered(done))


async def import_(call: Call, channel: str, body: RegistryPart) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    check_number(sum(map(len, (*body.outputs.values(), *body.globs.values()))))
    wanted = Wanted.checked(body.outputs, body.globs)
    done = await call.write(lambda connection: registering.import_(connection, channel, wanted, call.actor))
    return Reply(_registered(done))


def _registered(done: Registered) -> OutputsRegistered:
    return OutputsRegistered(feedstocks=done.feedstocks, outputs=done.outputs, globs=done.globs)


async def remove(call: Call, channel: str, output: str, query: FromFeedstock) -> Reply:
    call.require(Verb.CONFIGURE, channel)

    def work(connection: Connection) -> None:
        locked = channels.lock(connection, [channel])[channel]
        feedstock = feedstocks.get(connection, locked, bare(query.feedstock))
        outputs.remove_output(connection, locked, output, feedstock, call.actor)

    await call.write(work)
    return Reply(status=204)


async def list_globs(call: Call, channel: str, query: GlobQuery) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(None)

    def find(connection: Connection) -> tuple[list[tuple[str, str]], int]:
        return outputs.globs_page(
            connection,
            sight.channel.id,
            query.limit,
            query.after,
            feedstock=feedstocks.get(connection, sight.channel, bare(query.feedstock))
            if query.feedstock
            else None,
        )

    found, after = await call.read(find)
    states = tuple(GlobState(feedstock=feedstock, glob=glob) for glob, feedstock in found)
    return Reply(GlobPage(globs=states, next=after or None))


async def remove_glob(call: Call, channel: str, query: GlobOfFeedstock) -> Reply:
    call.require(Verb.CONFIGURE, channel)

    def work(connection: Connection) -> None:
        locked = channels.lock(connection, [channel])[channel]
        feedstock = feedstocks.get(connection, locked, bare(query.feedstock))
        outputs.remove_glob(connection, locked, query.glob, feedstock, call.actor)

    await call.write(work)
    return Reply(status=204)


ROUTES = (
    Route(
        "GET",
        "/channels/{channel}/outputs",
        "List outputs",
        list_,
        (Answer(200, "A page of outputs.", OutputPage),),
        refusals=(FeedstockMissing,),
    ),
    Route(
        "POST",
        "/channels/{channel}/outputs",
        "Register outputs and globs for a feedstock",
        add,
        (Answer(200, "It has them; the same again changes nothing.", OutputsRegistered),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing, FeedstockNameMalformed, BadName, GlobMalformed),
        headers=(REASON,),
        text="All of it or nothing. An output may have several feedstocks.",
    ),
    Route(
        "GET",
        "/channels/{channel}/outputs/{output}",
        "Tell who may publish a package",
        get,
        (Answer(200, "The feedstocks, which may be none.", OutputPublishers),),
        refusals=(BadName,),
    ),
    Route(
        "DELETE",
        "/channels/{channel}/outputs/{output}",
        "Take an output from a feedstock",
        remove,
        (Answer(204, "It is no longer the feedstock's, unless one of its globs matches it."),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing, OutputNotRegistered, BadName),
        headers=(REASON,),
    ),
    Route(
        "GET",
        "/channels/{channel}/globs",
        "List globs",
        list_globs,
        (Answer(200, "A page of globs.", GlobPage),),
        refusals=(FeedstockMissing,),
    ),
    Route(
        "DELETE",
        "/channels/{channel}/globs",
        "Remove a glob of a feedstock",
        remove_glob,
        (Answer(204, "It registers nothing any more. What it registered stays registered."),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockMissing, GlobMissing),
        headers=(REASON,),
    ),
    Route(
        "POST",
        "/channels/{channel}/registry",
        "Import outputs and globs of many feedstocks",
        import_,
        (Answer(200, "They are registered; the same again changes nothing.", OutputsRegistered),),
        right=Verb.CONFIGURE,
        refusals=(FeedstockNameMalformed, BadName, GlobMalformed),
        headers=(REASON,),
        text=f"All of it or nothing, at most {ENTRIES_LIMIT:,} at a time. Feedstocks that are not registered are.",
    ),
)
