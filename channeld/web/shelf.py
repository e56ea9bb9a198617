"""What is on the shelf: the published state that a request reads, kept in memory as long as the catalog is unchanged.

A request looks its view up once and answers from what it got, so it never sees two generations. Before anything kept
is used, the catalog is asked whether it has changed (``catalog.changewatch``); asking costs microseconds.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from channeld.catalog import channels, labels, notices, views
from channeld.catalog.changewatch import ChangeWatch
from channeld.catalog.channels import Channel
from channeld.catalog.database import Database
from channeld.catalog.labels import Label
from channeld.catalog.views import Published
from channeld.formats.notices import Notice
from channeld.indexing import generation
from channeld.indexing.generation import Document

T = TypeVar("T")

_MOST_DRAWN: Final = 256  # pages of some 10 KB
_MOST: Final = 20_000  # kept answers; a plain bound, since a change of the catalog empties everything anyway


@dataclass(frozen=True, slots=True)
class View:
    """One view as it is published."""

    channel: Channel
    label: Label
    subdir: str
    #: 0 before the first generation.
    number: int
    revision: int
    published_ms: int
    #: Empty before the first generation.
    documents: Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class LabelState:
    """All views of one label."""

    channel: Channel
    label: Label
    views: tuple[Published, ...]
    labels: tuple[Label, ...]
    notices: tuple[Notice, ...]


class Shelf:
    """Answers from memory what has been read since the catalog last changed. For the event loop's thread."""

    def __init__(self, database: Database, watch: ChangeWatch) -> None:
        self._database = database
        self._watch = watch
        #: Stands for the state of the catalog that was seen last.
        self.version = ""
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._drawn: OrderedDict[tuple[Any, ...], tuple[str, Any]] = OrderedDict()
        self._running: dict[tuple[Any, ...], asyncio.Future[Any]] = {}

    async def view(self, channel: str, label: str, subdir: str) -> View | None:
        """Look a view up; None when there is no such channel, label or subdir."""
        return await self._get(
            ("view", channel, label, subdir), lambda connection: _view(connection, channel, label, subdir)
        )

    async def label(self, channel: str, label: str) -> LabelState | None:
        """Look a label up; None when there is no such channel or label."""
        return await self._get(
            ("label", channel, label), lambda connection: _label(connection, channel, label)
        )

    async def channel(self, channel: str) -> Channel | None:
        """Look a channel up."""
        return await self._get(("channel", channel), lambda connection: channels.find(connection, channel))

    async def public_channels(self) -> list[Channel]:
        """List the channels that everybody may read, by name."""
        return await self._get(
            ("public",), lambda c: [channel for channel in channels.every(c) if not channel.settings.private]
        )

    async def remember(self, key: tuple[Any, ...], read: Callable[[Connection], T]) -> T:
        """Return what ``read`` returned for the key since the catalog last changed, or read it now."""
        return await self._get(key, read)

    def recall(self, key: tuple[Any, ...]) -> Any:
        """Return what was kept for the key since the catalog last changed; None when there is nothing."""
        return self._kept.get(key) if self._is_current() else None

    def keep(self, version: str, key: tuple[Any, ...], value: object) -> None:
        """Have ``recall`` return what was worked out from the shelf's answers since it had that ``version``."""
        if version == self.version:
            self._store(key, value)

    async def draw(self, key: tuple[Any, ...], make: Callable[[], Awaitable[T]]) -> T:
        """Return what ``make`` made for the key since the catalog last changed, or make it now; the latest are kept."""
        version = self._watch.version()
        drawn = self._drawn.get(key)
        if drawn is not None and drawn[0] == version:
            value: T = drawn[1]
            return value
        value = await make()
        if self._watch.version() == version:  # or it may show something of both states
            self._drawn[key] = version, value
            self._drawn.move_to_end(key)
            if len(self._drawn) > _MOST_DRAWN:
                self._drawn.popitem(last=False)
        return value

    def close(self) -> None:
        """Stop watching the catalog."""
        self._watch.close()

    async def _get(self, key: tuple[Any, ...], read: Callable[[Connection], T]) -> T:
        if self._is_current() and key in self._kept:
            kept: T = self._kept[key]
            return kept
        version = self.version
        running = self._running.get(key)
        if running is None:
            # what is read now shows everything up to this version; those who ask at the same version share it
            running = asyncio.ensure_future(self._read(version, key, read))
            running.add_done_callback(_looked_at)
            self._running[key] = running
        value: T = await asyncio.shield(running)
        return value

    def _is_current(self) -> bool:
        """Tell whether the catalog is as it was; if it is not, forget everything that was read."""
        version = self._watch.version()
        if version == self.version:
            return True
        self.version = version
        self._kept.clear()
        self._running.clear()
        return False

    def _store(self, key: tuple[Any, ...], value: object) -> None:
        """Keep an answer; the oldest one goes where there are too many, so that nobody can fill the shelf for good."""
        if key not in self._kept and len(self._kept) >= _MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = value

    async def _read(self, version: str, key: tuple[Any, ...], read: Callable[[Connection], T]) -> T:
        try:
            value = await self._database.read(read)
            if version == self.version:
                self._store(key, value)
            return value
        finally:
            if self._running.get(key) is asyncio.current_task():
                del self._running[key]


def _looked_at(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()  # everybody who asked may have left


def _view(connection: Connection, channel_name: str, label_name: str, subdir: str) -> View | None:
    channel = channels.find(connection, channel_name)
    label = labels.find(connection, channel, label_name) if channel else None
    if channel is None or label is None:
        return None
    current = views.current(connection, label.id, subdir)
    if current is None:
        known = subdir in channel.settings.subdirs or subdir == ""
        return View(channel, label, subdir, 0, 0, label.created_ms, {}) if known else None
    documents = generation.decode(current.documents)
    return View(channel, label, subdir, current.number, current.revision, current.published_ms, documents)


def _label(connection: Connection, channel_name: str, label_name: str) -> LabelState | None:
    channel = channels.find(connection, channel_name)
    label = labels.find(connection, channel, label_name) if channel else None
    if channel is None or label is None:
        return None
    return LabelState(
        channel,
        label,
        tuple(views.published(connection, label.id)),
        tuple(labels.every(connection, channel)),
        tuple(notices.every(connection, channel)),
    )
