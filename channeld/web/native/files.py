"""``/channels/{channel}/files``: what a channel holds, and whether the world can see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from sqlalchemy import Connection

from channeld.catalog import channels, listing, selection, whereabouts
from channeld.catalog.grants import Verb
from channeld.catalog.listing import Listed, Wanted
from channeld.catalog.rejections import (
    BadSettingValue,
    CandidateAmbiguous,
    FileMissing,
    LabelLocked,
    LabelMissing,
)
from channeld.catalog.whereabouts import Place
from channeld.web import deleting
from channeld.web.native.access import Sight, sight_of
from channeld.web.native.route import REASON, Answer, Call, Reply, Route
from channeld.web.native.values import StoredFile, time_text
from channeld.web.rejections import CandidateOfAnother
from channeld.web.shapes import Between, Length


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuery:
    """Which files to list; what is not given wants all."""

    subdir: Annotated[str, "Of this subdir.", Length(32)] = ""
    filename: Annotated[str, "Of this name; in a staging channel perhaps several.", Length(211)] = ""
    name: Annotated[str, "Of this package.", Length(64)] = ""
    version: Annotated[str, "Of this version.", Length(64)] = ""
    sha256: Annotated[str, "With these bytes.", Length(64)] = ""
    label: Annotated[str, "Carrying this label.", Length(128)] = ""
    broken: Annotated[bool | None, "Broken ones only, or only those that are not."] = None
    limit: Annotated[int, "Files to a page.", Between(1, 1000)] = 100
    after: Annotated[str, "The `next` of the page before.", Length(400)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """A page of files, by subdir and name."""

    files: Annotated[tuple[StoredFile, ...], "The files."]
    next: Annotated[str, "To be given as `after` for the next page; empty at the end."]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """A label that a file carries."""

    label: Annotated[str, "The label."]
    live: Annotated[bool, "Whether the published index of the label lists the file."]
    pending: Annotated[bool, "Whether a change of the file there waits to be published."]
    revision: Annotated[
        int, "The revision of the channel that the published index shows; 0 before the first."
    ]
    generation: Annotated[int, "The number of that index; 0 before the first."]
    indexed: Annotated[str, "When the file first came into the label's index (CEP 47)."]
    url: Annotated[str, "Where it is downloaded."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A file, and where it can be seen."""

    file: Annotated[StoredFile, "The file."]
    live: Annotated[bool, "Whether it is live under every label that it carries, and it carries one."]
    places: Annotated[tuple[LabelPlace, ...], "Its labels."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Which of several candidates of a staging channel."""

    sha256: Annotated[str, "The SHA-256 of the one that is meant.", Length(64)] = ""


async def list_(call: Call, channel: str, query: FileQuery) -> Reply:
    sight = await sight_of(call, channel)
    sight.check(query.label or None)
    wanted = Wanted(
        subdir=query.subdir,
        filename=query.filename,
        sha256=query.sha256.lower(),
        name=query.name,
        version=query.version,
        label=query.label,
        broken=query.broken,
    )
    found, after = await call.read(
        lambda connection: listing.page(connection, sight.channel, wanted, query.limit, query.after)
    )
    shown = tuple(StoredFile.of(channel, _seen(sight, listed)) for listed in found)
    return Reply(FileList(files=shown, next=after))


def _seen(sight: Sight, listed: Listed) -> Listed:
    return replace(listed, labels=tuple(name for name in listed.labels if sight.shows(name)))


async def get(call: Call, channel: str, subdir: str, filename: str, query: Candidate) -> Reply:
    sight = await sight_of(call, channel)

    def find(connection: Connection) -> tuple[Listed, list[Place]]:
        file = selection.get(connection, sight.channel, subdir, filename, query.sha256.lower())
        places = whereabouts.places_of(connection, sight.channel, file)
        return Listed(file, tuple(place.label for place in places)), places

    listed, places = await call.read(find)
    seen = [place for place in places if sight.shows(place.label)]
    if not seen and not sight.shows_all:
        raise FileMissing(channel, subdir, filename)
    state = FileState(
        file=StoredFile.of(channel, _seen(sight, listed)),
        live=bool(seen) and all(place.live for place in seen),
        places=tuple(_shown(call, channel, place, listed) for place in seen),
    )
    return Reply(state)


def _shown(call: Call, channel: str, place: Place, listed: Listed) -> LabelPlace:
    return LabelPlace(
        label=place.label,
        live=place.live,
        pending=place.pending,
        revision=place.revision,
        generation=place.generation,
        indexed=time_text(place.indexed_ms),
        url=call.file_url(channel, place.label, listed.file.subdir, listed.file.filename),
    )


async def delete(call: Call, channel: str, subdir: str, filename: str, query: Candidate) -> Reply:
    sha256 = query.sha256.lower()

    def work(connection: Connection) -> None:
        locked = channels.lock(connection, [channel])[channel]
        file = selection.get(connection, locked, subdir, filename, sha256)
        deleting.delete(connection, call, locked, file)

    await call.write(work)
    return Reply(status=204)


ROUTES = (
    Route(
        "GET",
        "/channels/{channel}/files",
        "List files",
        list_,
        (Answer(200, "A page of files.", FileList),),
        refusals=(LabelMissing, BadSettingValue),
    ),
    Route(
        "GET",
        "/channels/{channel}/files/{subdir}/{filename}",
        "Show a file, and whether it is live",
        get,
        (Answer(200, "The file.", FileState),),
        refusals=(FileMissing, CandidateAmbiguous),
        text="A change is live under a label once the published index of that label shows it.",
    ),
    Route(
        "DELETE",
        "/channels/{channel}/files/{subdir}/{filename}",
        "Delete a file",
        delete,
        (Answer(204, "It is gone from downloads at once, and from the indexes with their next generation."),),
        right=Verb.DELETE,
        refusals=(FileMissing, CandidateAmbiguous, LabelLocked, CandidateOfAnother),
        headers=(REASON,),
        text="Its name stays taken: it may come back with the same bytes, and never with others. The token needs "
        "the right on each label that the file carries. In a staging channel a candidate is deleted by the token that "
        "uploaded it, or by one with the right `configure`; by its sha256 it can be promoted all the same until it "
        "expires.",
    ),
)
