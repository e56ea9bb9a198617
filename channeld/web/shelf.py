"""What is on the shelf: the published state that a request reads, kept in memory as long as the catalog is unchanged.

A request looks its view up once and answers from what it got, so it never sees two generations. Before anything kept
is used, the catalog is asked whether it has changed (``catalog.changewatch``); asking costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self._version = ""
        self._kept: dict[tuple[Any, ...], Any] = {}

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

    def close(self) -> None:
        """Stop watching the catalog."""
        self._watch.close()

    async def _get(self, key: tuple[Any, ...], read: Callable[[Connection], T]) -> T:
        version = self._watch.version()
        if version != self._version:
            self._version = version
            self._kept.clear()
        elif key in self._kept:
            value: T = self._kept[key]
            return value
        value = await self._database.read(read)
        if version == self._version and len(self._kept) < _MOST:
            self._kept[key] = value
        return value


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
