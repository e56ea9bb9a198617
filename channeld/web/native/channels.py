"""``/channels``: the channels themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from sqlalchemy import Connection

from channeld.catalog import channels
from channeld.catalog.channels import Channel, ChannelSettings
from channeld.catalog.grants import Verb
from channeld.catalog.rejections import BadSettingValue, ChannelExists, ChannelNotEmpty
from channeld.formats.rejections import BadName
from channeld.web.native.access import sees, sight_of
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import time_text
from channeld.web.rejections import ReservedChannelName
from channeld.web.shapes import Length
from channeld.web.urls import check_new_channel_name

_Kind = Annotated[
    Literal["standard", "staging"] | None,
    "`staging` lets several candidates share one file name, told apart by their sha256. For life.",
]
_Private = Annotated[bool | None, "Whether reading needs a token."]
_Legacy = Annotated[
    Literal["refuse", "allow"] | None, "Whether packages may come in that break today's naming rules."
]
_PromotesTo = Annotated[
    str | None,
    "Of a staging channel: the channel that its candidates are promoted into; empty for none.",
    Length(128),
]
_ByMd5 = Annotated[
    Literal["refuse", "allow"] | None, "Whether a copy into the channel may name bytes by their md5 alone."
]
_Subdirs = Annotated[
    tuple[str, ...] | None, "Subdirs that answer, empty, from the start. `noarch` always does.", Length(32)
]
_Description = Annotated[str | None, "What the channel is for, for its page.", Length(10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A channel to create."""

    name: Annotated[str, "Its name: one part of a URL (CEP 26).", Length(128)]
    kind: _Kind = None
    private: _Private = None
    legacy: _Legacy = None
    subdirs: _Subdirs = None
    description: _Description = None
    promotes_to: _PromotesTo = None
    copies_by_md5: _ByMd5 = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChanges:
    """What is to change about a channel; what is not named stays."""

    kind: _Kind = None
    private: _Private = None
    legacy: _Legacy = None
    subdirs: _Subdirs = None
    description: _Description = None
    promotes_to: _PromotesTo = None
    copies_by_md5: _ByMd5 = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """A channel."""

    name: Annotated[str, "Its name."]
    kind: Annotated[Literal["standard", "staging"], "Whether file names may have several candidates."]
    private: Annotated[bool, "Whether reading needs a token."]
    legacy: Annotated[Literal["refuse", "allow"], "Whether packages that break today's naming rules come in."]
    subdirs: Annotated[tuple[str, ...], "Subdirs that answer even when they are empty."]
    description: Annotated[str, "What it is for."]
    promotes_to: Annotated[str, "The channel that its candidates are promoted into; empty for none."]
    copies_by_md5: Annotated[
        Literal["refuse", "allow"], "Whether a copy into it may name bytes by their md5 alone."
    ]
    revision: Annotated[int, "The number of its last change."]
    created: Annotated[str, "When it was created."]
    url: Annotated[str, "What clients are given as the channel."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelList:
    """The channels that the caller may read, by name."""

    channels: Annotated[tuple[ChannelState, ...], "The channels."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """How to delete a channel."""

    force: Annotated[bool, "Delete it with all its files."] = False


def state_of(call: Call, channel: Channel) -> ChannelState:
    """Show a channel."""
    settings = channel.settings
    return ChannelState(
        name=channel.name,
        kind=settings.kind,
        private=settings.private,
        legacy=settings.legacy,
        subdirs=settings.subdirs,
        description=settings.description,
        promotes_to=settings.promotes_to,
        copies_by_md5=settings.copies_by_md5,
        revision=channel.revision,
        created=time_text(channel.created_ms),
        url=f"{call.services.origins.public_url(call.request)}/{channel.name}",
    )


async def list_(call: Call) -> Reply:
    token = await call.optional_token()
    grants = token.grants if token else ()
    every = await call.read(channels.every)
    shown = [each for each in every if not each.settings.private or sees(grants, each.name)]
    return Reply(ChannelList(channels=tuple(state_of(call, each) for each in shown)))


async def create(call: Call, body: NewChannel) -> Reply:
    check_new_channel_name(body.name)
    call.require(Verb.ADMIN, body.name)
    given = _given(body)
    del given["name"]
    subdirs = call.services.instance.settings.index.initial_subdirs
    settings = ChannelSettings(subdirs=subdirs).changed(given)

    def work(connection: Connection) -> tuple[bool, Channel]:
        there = channels.find(connection, body.name) is not None
        return there, channels.create(connection, body.name, settings, call.actor)

    there, channel = await call.write(work)
    return Reply(state_of(call, channel), 200 if there else 201)


async def get(call: Call, channel: str) -> Reply:
    return Reply(state_of(call, (await sight_of(call, channel)).channel))


async def configure(call: Call, channel: str, body: ChannelChanges) -> Reply:
    call.require(Verb.CONFIGURE, channel)
    changed = await call.write(
        lambda connection: channels.configure(connection, channel, _given(body), call.actor)
    )
    return Reply(state_of(call, changed))


async def delete(call: Call, channel: str, query: Deletion) -> Reply:
    call.require(Verb.ADMIN, channel)
    await call.write(lambda connection: channels.delete(connection, channel, call.actor, force=query.force))
    return Reply(status=204)


def _given(body: NewChannel | ChannelChanges) -> dict[str, object]:
    return {name: value for name, value in asdict(body).items() if value is not None}


ROUTES = (
    Route("GET", "/channels", "List channels", list_, (Answer(200, "The channels.", ChannelList),)),
    Route(
        "POST",
        "/channels",
        "Create a channel",
        create,
        (
            Answer(201, "It is there now; its URLs answer.", ChannelState),
            Answer(200, "It was there already, with the same settings.", ChannelState),
        ),
        right=Verb.ADMIN,
        refusals=(BadName, ReservedChannelName, BadSettingValue, ChannelExists),
        headers=(REASON,),
    ),
    Route("GET", "/channels/{channel}", "Show a channel", get, (Answer(200, "The channel.", ChannelState),)),
    Route(
        "PATCH",
        "/channels/{channel}",
        "Change a channel",
        configure,
        (Answer(200, "The channel as it is now.", ChannelState),),
        right=Verb.CONFIGURE,
        refusals=(BadName, BadSettingValue),
        headers=(REASON,),
    ),
    Route(
        "DELETE",
        "/channels/{channel}",
        "Delete a channel",
        delete,
        (Answer(204, "It is gone."),),
        right=Verb.ADMIN,
        refusals=(ChannelNotEmpty,),
        headers=(REASON,),
    ),
)
