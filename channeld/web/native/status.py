"""``/status``: how the server is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from sqlalchemy import Connection

from channeld import __version__, lives
from channeld.catalog import census, leases
from channeld.catalog.census import DirtyView
from channeld.catalog.grants import Verb, allows
from channeld.catalog.leases import Lease
from channeld.web.native.route import Answer, Call, Reply, Route
from channeld.web.native.values import time_text

_MOST_VIEWS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerState:
    """The process that publishes."""

    holder: Annotated[str, "Its name, of one life of it; empty when there is none."]
    epoch: Annotated[int, "How often the work has changed hands."]
    expires: Annotated[str, "Until when it holds the work, unless it goes on."]
    active: Annotated[bool, "Whether it holds the work now, which is taken up when there is some."]
    trouble: Annotated[str, "What went wrong last; empty when all is well."]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    """An index that is not up to date."""

    channel: Annotated[str, "Its channel."]
    label: Annotated[str, "Its label."]
    subdir: Annotated[str, "Its subdir."]
    changes: Annotated[int, "Changes that wait to be published."]
    since: Annotated[str, "When the oldest of them was made."]
    age_seconds: Annotated[int, "How long it has waited."]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    """The disk of the data folder."""

    free_bytes: Annotated[int, "Free bytes."]
    reserve_bytes: Annotated[int, "Free bytes below which uploads are refused."]
    accepts_uploads: Annotated[bool, "Whether there is more than the reserve."]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogCounts:
    """How much there is."""

    channels: Annotated[int, "Channels."]
    labels: Annotated[int, "Labels."]
    files: Annotated[int, "Files of channels."]
    artifacts: Annotated[int, "Different packages among them."]
    tokens: Annotated[int, "Valid tokens."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How the server is."""

    version: Annotated[str, "The version of channeld."]
    uptime_seconds: Annotated[int, "For how long this process has answered."]
    catalog: Annotated[str, "The database of the catalog: `sqlite` or `postgresql`."]
    indexer: Annotated[IndexerState, "The process that publishes."]
    waiting: Annotated[tuple[WaitingView, ...], f"Indexes behind their channel, {_MOST_VIEWS} at most."]
    disk: Annotated[DiskState, "The disk of the data folder."]
    counts: Annotated[CatalogCounts, "How much there is."]


async def get(call: Call) -> Reply:
    if not allows(call.token.grants, Verb.ADMIN, None):
        call.require(Verb.READ, None)
    now = call.now_ms

    def look(connection: Connection) -> tuple[Lease | None, list[DirtyView], census.Counts]:
        return (
            leases.find(connection, leases.INDEXER),
            census.dirty_views(connection, _MOST_VIEWS),
            census.counts(connection, now),
        )

    lease, waiting, counted = await call.read(look)
    instance = call.services.instance
    return Reply(
        ServerStatus(
            version=__version__,
            uptime_seconds=max(0, now - call.services.started_ms) // 1000,
            catalog=instance.database.write_engine.url.get_backend_name(),
            indexer=_indexer(lease, call.services.trouble(), now),
            waiting=tuple(_waiting(view, now) for view in waiting),
            disk=await _disk(call),
            counts=CatalogCounts(
                channels=counted.channels,
                labels=counted.labels,
                files=counted.files,
                artifacts=counted.artifacts,
                tokens=counted.tokens,
            ),
        )
    )


def _indexer(lease: Lease | None, trouble: str, now_ms: int) -> IndexerState:
    if lease is None:
        lease = Lease("", "", 0, 0)
    active = lease.expires_ms > now_ms
    return IndexerState(
        holder=lives.short(lease.holder) if active else "",
        epoch=lease.epoch,
        expires=time_text(lease.expires_ms),
        active=active,
        trouble=trouble or lease.trouble,
    )


def _waiting(view: DirtyView, now_ms: int) -> WaitingView:
    return WaitingView(
        channel=view.channel,
        label=view.label,
        subdir=view.subdir,
        changes=view.changes,
        since=time_text(view.since_ms),
        age_seconds=max(0, now_ms - view.since_ms) // 1000,
    )


async def _disk(call: Call) -> DiskState:
    blobs = call.services.instance.blobs
    free = await call.services.pieces.on_thread(lambda: blobs.disk.free_bytes(blobs.root))
    return DiskState(
        free_bytes=free, reserve_bytes=blobs.reserve_bytes, accepts_uploads=free >= blobs.reserve_bytes
    )


ROUTES = (
    Route(
        "GET",
        "/status",
        "Show how the server is",
        get,
        (Answer(200, "How it is.", ServerStatus),),
        right=Verb.READ,
        text="The token needs the right `read` or `admin` on the server as a whole.",
    ),
)
