"""What is made on demand from published state: last-updated.json, notices.json, rss.xml and the pages.

All of it is small and follows from what is on the shelf, so the same state gives the same bytes and the same ETag.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import orjson
from aiohttp import web

from channeld import __version__
from channeld.catalog import notices as notice_rows
from channeld.catalog.newest import NewFile, newest
from channeld.formats.notices import encode_notices
from channeld.formats.rss import rss
from channeld.indexing import generation
from channeld.indexing.documents.names import CHANNEL_LEVEL, CHANNELDATA, REPODATA, SHARDS
from channeld.indexing.generation import Paged, Whole
from channeld.pages import rendering
from channeld.pages.values import (
    ChannelLine,
    ChannelPage,
    Document,
    LabelLine,
    PackageLine,
    ServerPage,
    SubdirLine,
    SubdirPage,
)
from channeld.web.keys import Services
from channeld.web.shelf import LabelState, View
from channeld.web.urls import Resource

_NEWEST: Final = 50
#: What channeldata.json is before anything was published.
_EMPTY_CHANNELDATA: Final = b'{"channeldata_version":1,\n"packages":{\n\n},\n"subdirs":[]}\n'

#: Bytes, and a digest of them. Nobody knows when they last changed: a label or a notice may be gone since.
Made = tuple[bytes, str]


async def channel_document(request: web.Request, services: Services, resource: Resource) -> Made | None:
    """Make a document of the channel level."""
    state = await services.shelf.label(resource.channel, resource.label)
    if state is None:
        return None
    if resource.file == "last-updated.json":
        return _made(last_updated(state))
    if resource.file == "notices.json":
        now = services.clock.now_ms()
        shown = await services.instance.database.read(
            lambda connection: notice_rows.current(connection, state.channel, now)
        )
        return _made(encode_notices(shown))
    if resource.file == "rss.xml":
        return await _rss(request, services, state)
    if resource.file == CHANNELDATA:
        return _made(_EMPTY_CHANNELDATA)
    return None


def _made(data: bytes) -> Made:
    return data, hashlib.sha256(data).hexdigest()


def _changed_ms(state: LabelState) -> int:
    return max((view.published_ms for view in state.views), default=state.label.created_ms)


def last_updated(state: LabelState) -> bytes:
    """Tell how fresh each view is: the revision it shows, its generation, and since when."""
    views = {
        view.subdir: {
            "revision": view.revision,
            "generation": view.number,
            "published": _time(view.published_ms),
        }
        for view in state.views
        if view.subdir != CHANNEL_LEVEL
    }
    document = {
        "channel": state.channel.name,
        "label": state.label.name,
        "revision": max((view.revision for view in state.views), default=0),
        "last_updated": _time(_changed_ms(state)),
        "subdirs": views,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _time(milliseconds: int) -> str:
    time = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _rss(request: web.Request, services: Services, state: LabelState) -> Made:
    """Draw the feed from the published channeldata.json, once for each version of it."""
    top = await services.shelf.view(state.channel.name, state.label.name, CHANNEL_LEVEL)
    document = top.documents.get(CHANNELDATA) if top else None
    base = f"{services.origins.public_url(request)}/{state.channel.name}"
    link = base if state.label.name == "main" else f"{base}/label/{state.label.name}"
    title = state.channel.name if state.label.name == "main" else f"{state.channel.name} ({state.label.name})"
    if not isinstance(document, Paged):
        return _made(rss(title, link, (), state.label.created_ms // 1000))
    modified_ms = document.modified_ms

    def make(text: bytes) -> bytes:
        packages = orjson.loads(text)["packages"]
        return rss(title, link, packages.items(), modified_ms // 1000)

    text = await services.pieces.text(document)
    key = ("rss", document.raw_digest, link)
    return _made(await services.pieces.remember(key, lambda: make(text)))


async def page(request: web.Request, services: Services, resource: Resource) -> Made | None:
    """Make the page of a channel, a label or a subdir, once for each state of the catalog."""
    base_url = services.origins.public_url(request)
    key = (resource.channel, resource.label, resource.subdir, base_url)
    return await services.shelf.draw(key, lambda: _page(services, resource, base_url))


async def _page(services: Services, resource: Resource, base_url: str) -> Made | None:
    state = await services.shelf.label(resource.channel, resource.label)
    if state is None:
        return None
    if resource.subdir is not None:
        view = await services.shelf.view(resource.channel, resource.label, resource.subdir)
        return await _subdir_page(services, state, view) if view is not None else None
    lines = await _subdir_lines(services, state)
    fresh = [
        line
        for view in state.views
        if view.subdir != CHANNEL_LEVEL
        for line in await _newest(services, state, view.subdir)
    ]
    fresh.sort(key=lambda line: (-line.indexed_ms, line.subdir, line.filename))
    data = rendering.channel_page(
        ChannelPage(
            channel=state.channel.name,
            label=state.label.name,
            base_url=base_url,
            description=state.channel.settings.description,
            private=state.channel.settings.private,
            revision=max((view.revision for view in state.views), default=0),
            generated_ms=_changed_ms(state),
            subdirs=lines,
            labels=await _label_lines(services, state),
            documents=tuple(
                Document(filename=name)
                for name in (CHANNELDATA, "rss.xml", "notices.json", "last-updated.json")
            ),
            newest=tuple(fresh[:_NEWEST]),
        )
    )
    return _made(data)


async def _subdir_page(services: Services, state: LabelState, view: View) -> Made:
    counts = await _counts(services, view)
    documents = []
    for name, document in sorted(view.documents.items()):
        if isinstance(document, Whole):
            documents.append(Document(filename=name, size=document.place.size))
        else:
            documents.append(Document(filename=name, size=document.raw_size))
            documents.append(Document(filename=f"{name}.zst", size=document.zst_size))
    data = rendering.subdir_page(
        SubdirPage(
            channel=state.channel.name,
            label=state.label.name,
            subdir=view.subdir,
            revision=view.revision,
            generated_ms=view.published_ms,
            packages=counts.packages,
            names=counts.names,
            removed=counts.removed,
            broken=counts.broken,
            documents=tuple(documents),
            newest=await _newest(services, state, view.subdir),
        )
    )
    return _made(data)


class _Counts:
    """How much a view shows, from its page tables: no record is read."""

    def __init__(self, packages: int, names: int, removed: int, broken: int) -> None:
        self.packages = packages
        self.names = names
        self.removed = removed
        self.broken = broken


async def _counts(services: Services, view: View) -> _Counts:
    repodata = view.documents.get(REPODATA)
    index = view.documents.get(SHARDS)
    if not isinstance(repodata, Paged):
        return _Counts(0, 0, 0, 0)
    table = await services.pieces.on_thread(lambda: services.instance.tables.get(repodata.table))
    packages = sum(table.count(name) for name in table.names if name != "removed")
    names = 0
    if isinstance(index, Whole):
        names = await services.pieces.count_shards(index.place)
    return _Counts(packages, names, table.count("removed"), 0)


async def _subdir_lines(services: Services, state: LabelState) -> tuple[SubdirLine, ...]:
    published = {view.subdir: view for view in state.views if view.subdir != CHANNEL_LEVEL}
    lines = []
    for subdir in sorted({*state.channel.settings.subdirs, *published}):
        view = await services.shelf.view(state.channel.name, state.label.name, subdir)
        counts = await _counts(services, view) if view is not None else _Counts(0, 0, 0, 0)
        updated = published[subdir].published_ms if subdir in published else None
        lines.append(SubdirLine(subdir=subdir, packages=counts.packages, updated_ms=updated))
    return tuple(lines)


async def _label_lines(services: Services, state: LabelState) -> tuple[LabelLine, ...]:
    lines = []
    for label in state.labels:
        other = await services.shelf.label(state.channel.name, label.name)
        count = 0
        for view in other.views if other is not None else ():
            document = generation.decode(view.documents).get(REPODATA)
            if isinstance(document, Paged):
                count += await _packages_in(services, document)
        lines.append(LabelLine(label=label.name, packages=count))
    return tuple(lines)


async def _packages_in(services: Services, document: Paged) -> int:
    table = await services.pieces.on_thread(lambda: services.instance.tables.get(document.table))
    return sum(table.count(name) for name in table.names if name != "removed")


async def _newest(services: Services, state: LabelState, subdir: str) -> tuple[PackageLine, ...]:
    found: list[NewFile] = await services.shelf.remember(
        ("newest", state.label.id, subdir),
        lambda connection: newest(connection, state.label, subdir, _NEWEST),
    )
    return tuple(
        PackageLine(
            name=file.name,
            version=file.version,
            build=file.build,
            filename=file.filename,
            subdir=file.subdir,
            size=file.size,
            indexed_ms=file.indexed_ms,
            sha256=file.sha256,
            md5=file.md5,
        )
        for file in found
    )


async def front_page(services: Services) -> Made:
    """Make the front page: the public channels of the server. Once for each state of the catalog."""
    return await services.shelf.draw(("",), lambda: _front_page(services))


async def _front_page(services: Services) -> Made:
    lines = []
    for channel in await services.shelf.public_channels():
        state = await services.shelf.label(channel.name, "main")
        if state is None:
            continue
        subdirs = await _subdir_lines(services, state)
        lines.append(
            ChannelLine(
                channel=channel.name,
                description=channel.settings.description,
                packages=sum(line.packages for line in subdirs),
                labels=len(state.labels),
                updated_ms=_changed_ms(state) if state.views else None,
            )
        )
    data = rendering.server_page(
        ServerPage(title="channeld", version=__version__, api_url="api/v1/", channels=tuple(lines))
    )
    return _made(data)
