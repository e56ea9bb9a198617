"""``/channels/{channel}/labels``: labels as such. Which files carry them is changed by ``relabel``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy import Connection

from channeld.catalog import channels, labels
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.grants import Verb
from channeld.catalog.labels import Label
from channeld.catalog.rejections import LabelLocked, LabelMissing, LabelPermanent
from channeld.formats.rejections import BadName
from channeld.formats.relations import BadRelation, ChannelRelations
from channeld.web.native.access import sight_of
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import time_text
from channeld.web.shapes import Length

_Locked = Annotated[bool | None, "Whether files may neither get nor lose it."]
_Relations = Annotated[
    dict[str, Any] | None,
    "What the label's channel declares about others (CEP 42): `base`, a channel to be preferred to it, and "
    "`overrides`, one that it is preferred to; references such as `../conda-forge`. An empty object ends them.",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """A label to create."""

    name: Annotated[str, "Its name (CEP 26); it may have slashes.", Length(128)]
    locked: _Locked = None
    relations: _Relations = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChanges:
    """What is to change about a label; what is not named stays."""

    locked: _Locked = None
    relations: _Relations = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelState:
    """A label."""

    name: Annotated[str, "Its name."]
    locked: Annotated[bool, "Whether files can neither get nor lose it."]
    relations: Annotated[dict[str, str], "What its channel declares about others (CEP 42)."]
    created: Annotated[str, "When it was created."]
    files: Annotated[int, "Files that carry it."]
    url: Annotated[str, "What clients are given as the channel, to see what carries the label."]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelList:
    """The labels of a channel that the caller may read, by name."""

    labels: Annotated[tuple[LabelState, ...], "The labels."]


def _state(call: Call, connection: Connection, channel: Channel, label: Label) -> LabelState:
    base = f"{call.services.origins.public_url(call.request)}/{channel.name}"
    return LabelState(
        name=label.name,
        locked=label.locked,
        relations=label.relations,
        created=time_text(label.created_ms),
        files=labels.count_files(connection, label),
        url=base if label.name == MAIN else f"{base}/label/{label.name}",
    )


async def list_(call: Call, channel: str) -> Reply:
    sight = await sight_of(call, channel)

    def find(connection: Connection) -> list[LabelState]:
        return [
            _state(call, connection, sight.channel, label)
            for label in labels.every(connection, sight.channel)
            if sight.shows(label.name)
        ]

    return Reply(LabelList(labels=tuple(await call.read(find))))


async def get(call: Call, channel: str, label: str) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(label)
    return Reply(await call.read(lambda connection: _find(call, connection, sight.channel, label)))


def _find(call: Call, connection: Connection, channel: Channel, name: str) -> LabelState:
    return _state(call, connection, channel, labels.get(connection, channel, name))


async def create(call: Call, channel: str, body: NewLabel) -> Reply:
    call.require(Verb.CONFIGURE, channel, body.name)
    relations = _relations(channel, body.name, body.relations)

    def work(connection: Connection) -> tuple[bool, LabelState]:
        locked = channels.lock(connection, [channel])[channel]
        there = labels.find(connection, locked, body.name) is not None
        labels.ensure(connection, locked, body.name, call.actor)
        labels.configure(connection, channel, body.name, call.actor, locked=body.locked, relations=relations)
        return there, _find(call, connection, locked, body.name)

    there, state = await call.write(work)
    return Reply(state, 200 if there else 201)


async def configure(call: Call, channel: str, label: str, body: LabelChanges) -> Reply:
    call.require(Verb.CONFIGURE, channel, label)
    relations = _relations(channel, label, body.relations)

    def work(connection: Connection) -> LabelState:
        labels.configure(connection, channel, label, call.actor, locked=body.locked, relations=relations)
        return _find(call, connection, channels.get(connection, channel), label)

    return Reply(await call.write(work))


def _relations(channel: str, label: str, given: dict[str, Any] | None) -> dict[str, str] | None:
    if given is None:
        return None
    path = channel if label == MAIN else f"{channel}/label/{label}"
    return ChannelRelations.parse(given, path).document()


async def delete(call: Call, channel: str, label: str) -> Reply:
    call.require(Verb.CONFIGURE, channel, label)
    await call.write(lambda connection: labels.delete(connection, channel, label, call.actor))
    return Reply(status=204)


ROUTES = (
    Route(
        "GET",
        "/channels/{channel}/labels",
        "List labels",
        list_,
        (Answer(200, "The labels.", LabelList),),
    ),
    Route(
        "POST",
        "/channels/{channel}/labels",
        "Create a label",
        create,
        (
            Answer(201, "It is there now; its URLs answer.", LabelState),
            Answer(200, "It was there already, and is as asked for now.", LabelState),
        ),
        right=Verb.CONFIGURE,
        refusals=(BadName, BadRelation),
        headers=(REASON,),
        text="Uploading under a label, or putting it on a file, creates it as well.",
    ),
    Route(
        "GET",
        "/channels/{channel}/labels/{label}",
        "Show a label",
        get,
        (Answer(200, "The label.", LabelState),),
        refusals=(LabelMissing,),
    ),
    Route(
        "PATCH",
        "/channels/{channel}/labels/{label}",
        "Lock, unlock or relate a label",
        configure,
        (Answer(200, "The label as it is now.", LabelState),),
        right=Verb.CONFIGURE,
        refusals=(LabelMissing, BadRelation),
        headers=(REASON,),
    ),
    Route(
        "DELETE",
        "/channels/{channel}/labels/{label}",
        "Delete a label",
        delete,
        (Answer(204, "It is gone, and its URLs no longer answer. Its files stay."),),
        right=Verb.CONFIGURE,
        refusals=(LabelMissing, LabelLocked, LabelPermanent),
        headers=(REASON,),
    ),
)
