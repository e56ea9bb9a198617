"""Rule: trouble leaves what is published, is told to whoever asks, and is over when its cause is; one channel that
cannot be rendered does not keep the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from channeld.blobs.durable import DiskFull, DiskUnavailable
from channeld.catalog import channels, leases
from channeld.catalog import tables as t
from channeld.clock import SystemClock
from channeld.indexing.generation import Paged
from channeld.indexing.pagetable import Place
from channeld.indexing.publisher import ChannelStuck
from channeld.indexing.service import IndexerService
from tests.support.faults import FillingDisk
from tests.support.indexing import World, forget, messages, package
from tests.support.waiting import until


@asynccontextmanager
async def running(world: World, **options: Any) -> AsyncIterator[IndexerService]:
    service = IndexerService(world.publisher, poll_seconds=0.01, **options)
    service.start()
    try:
        yield service
    finally:
        await service.stop()


def told(world: World) -> str:
    lease = world.database.read_now(lambda connection: leases.find(connection, leases.INDEXER))
    return lease.trouble if lease is not None else ""


def shows(world: World, count: int) -> bool:
    return world.generation() is not None and len(world.names()) == count


@pytest.fixture
def disk() -> FillingDisk:
    return FillingDisk()


@pytest.fixture
def live(new_world: Callable[..., World], disk: FillingDisk) -> World:
    world = new_world(clock=SystemClock(), disk=disk)
    world.make_channel()
    return world


async def test_what_is_uploaded_is_published_at_once(live: World) -> None:
    async with running(live) as service:
        for number in range(3):
            live.upload(package(f"package{number}"))
            service.wake()
            await until(partial(shows, live, number + 1))
    assert service.trouble == ""


async def test_a_full_disk_is_told_and_the_old_generation_stays_until_there_is_room(
    live: World, disk: FillingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(live) as service:
        live.upload(package("alpha"))
        await until(lambda: live.generation() is not None)
        before = live.seen()
        disk.full = True
        live.upload(package("beta"))
        service.wake()
        await until(lambda: bool(service.trouble))
        await until(lambda: bool(told(live)))
        assert "is full" in service.trouble
        assert told(live) == service.trouble
        await asyncio.sleep(0.6)  # it is tried again meanwhile, and logged once
        assert live.seen() == before
        assert live.is_dirty()
        disk.full = False
        await until(lambda: len(live.names()) == 2)
        await until(lambda: not service.trouble and not told(live))
    assert len([text for text in messages(caplog) if "is full" in text]) == 1
    assert live.temporary_files() == []


async def test_trouble_that_an_earlier_life_left_is_cleared_by_the_next_success(
    live: World, disk: FillingDisk, new_world: Callable[..., World]
) -> None:
    disk.full = True
    async with running(live):
        live.upload(package("alpha"))
        await until(lambda: bool(told(live)))
    disk.full = False
    later = new_world(clock=SystemClock())
    async with running(later):
        await until(lambda: later.generation() is not None)
        await until(lambda: not told(later))


async def test_stopping_gives_the_lease_back_and_gives_up_a_long_render(
    live: World, new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        live.upload(package(f"package{number:02d}"))
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    progress = live.publisher._on_progress

    def noticed() -> None:
        loop.call_soon_threadsafe(begun.set)
        live.publisher.stop.set()
        progress()

    monkeypatch.setattr(live.publisher, "_on_progress", noticed)
    async with running(live):
        await asyncio.wait_for(begun.wait(), 10)
    assert live.generation() is None
    assert live.is_dirty()
    assert live.temporary_files() == []
    other = new_world(clock=SystemClock())
    other.publish()
    assert len(other.names()) == 40


def spoil(world: World, channel: str) -> None:
    """Give a channel a record that nothing can be made of."""
    bad = package("bad", content=channel)
    world.upload(bad, channel=channel)

    def change(connection: Connection) -> None:
        mine = t.artifacts.c.sha256 == bad.sha256
        connection.execute(t.artifacts.update().where(mine).values(record=b"no JSON"))

    world.write(change)


def mend(world: World, channel: str) -> None:
    bad = package("bad", content=channel)

    def change(connection: Connection) -> None:
        mine = t.artifacts.c.sha256 == bad.sha256
        connection.execute(t.artifacts.update().where(mine).values(record=bad.record))

    world.write(change)


def test_a_channel_that_cannot_be_rendered_does_not_hold_up_the_others(world: World) -> None:
    world.make_channel("second")
    spoil(world, "chan")
    world.upload(package("good"), channel="second")
    with pytest.raises(ChannelStuck, match="The channel chan could not be rendered"):
        world.publisher.publish_next()
    publication = world.publisher.publish_next()
    assert publication is not None
    assert publication.channel == "second"
    assert world.publisher.publish_next() is None
    assert "The channel chan" in world.publisher.trouble
    assert world.is_dirty()


def test_a_channel_whose_packs_cannot_be_read_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_channel("second")
    world.upload(package("alpha"))
    world.publish()
    world.upload(package("other"), channel="second")
    world.publish()
    read = world.packs.read
    document = world.raw()["repodata.json"]
    assert isinstance(document, Paged)
    channel, _, _ = document.table.pack.partition("-")

    def read_one_of_two(place: Place) -> bytes:
        if place.pack.startswith(f"{channel}-"):
            raise DiskUnavailable("packs", "Input/output error")
        return read(place)

    forget(world)
    monkeypatch.setattr(world.packs, "read", read_one_of_two)
    world.upload(package("beta"))
    world.upload(package("good"), channel="second")
    with pytest.raises(DiskUnavailable):
        world.publisher.publish_next()
    for version in range(3):  # the others come first from now on
        publication = world.publisher.publish_next()
        assert publication is not None
        assert publication.channel == "second"
        assert "The file system failed at packs" in world.publisher.trouble
        world.upload(package("good", f"{version}.5"), channel="second")
    monkeypatch.setattr(world.packs, "read", read)
    world.publish()
    assert world.publisher.trouble == ""
    assert world.names() == {"alpha-1.0-0.conda", "beta-1.0-0.conda"}


def test_a_cause_that_several_channels_have_is_told_once(
    new_world: Callable[..., World], disk: FillingDisk
) -> None:
    world = new_world(disk=disk)
    disk.full = True
    for name in ("chan", "second"):
        world.make_channel(name)
        world.upload(package("alpha"), channel=name)
    for _ in range(2):
        with pytest.raises(DiskFull):
            world.publish()
    assert world.publisher.trouble.count("is full") == 1
    disk.full = False
    world.publish()
    assert world.publisher.trouble == ""


def test_frames_for_which_there_is_no_room_leave_nothing_behind(
    new_world: Callable[..., World], disk: FillingDisk
) -> None:
    world = new_world(disk=disk)
    world.make_channel()
    world.upload(package("alpha"))
    world.publish()
    before = files_in(world)
    disk.full_folder = "frames"
    for number in range(3):
        world.upload(package(f"beta{number}"))
        with pytest.raises(DiskFull):
            world.publish()
        assert files_in(world) == before
        assert opened_though_gone(world) == []
    disk.full_folder = ""
    world.publish()
    assert len(world.names()) == 4
    world.check()


def files_in(world: World) -> list[Path]:
    return sorted([*world.packs.folder.rglob("*"), *world.assembly.folder.rglob("*")])


def opened_though_gone(world: World) -> list[str]:
    """List files that take room on the disk, though they have no name any more."""
    links = list(Path("/proc/self/fd").iterdir())
    targets = [str(link.readlink()) for link in links if link.is_symlink()]
    return [target for target in targets if target.startswith(str(world.folder)) and "(deleted)" in target]


def test_it_is_tried_again_after_pauses_that_grow(world: World) -> None:
    spoil(world, "chan")
    tries = []
    for second in range(130):
        try:
            world.publish()
        except ChannelStuck:
            tries.append(second)
        world.clock.advance(seconds=1)
    assert tries[:6] == [0, 1, 3, 7, 15, 31]
    assert 60 <= max(b - a for a, b in pairwise(tries)) <= 61


def test_once_it_can_be_rendered_all_is_well(world: World) -> None:
    spoil(world, "chan")
    with pytest.raises(ChannelStuck):
        world.publish()
    mend(world, "chan")
    world.clock.advance(seconds=60)
    world.publish()
    assert world.publisher.trouble == ""
    assert world.names() == {"bad-1.0-0.conda"}


def test_trouble_of_a_channel_that_is_gone_is_gone(world: World) -> None:
    spoil(world, "chan")
    with pytest.raises(ChannelStuck):
        world.publish()
    world.write(lambda c: channels.delete(c, "chan", world.actor, force=True))
    world.publish()
    assert world.publisher.trouble == ""


async def test_the_service_tells_of_the_channel_and_goes_on(
    live: World, caplog: pytest.LogCaptureFixture
) -> None:
    live.make_channel("second")
    spoil(live, "chan")
    live.upload(package("good"), channel="second")
    async with running(live) as service:
        await until(lambda: live.generation(channel="second") is not None)
        await until(lambda: "The channel chan" in told(live))
        live.upload(package("better"), channel="second")
        service.wake()
        await until(
            lambda: len(live.seen(channel="second").documents["repodata.json"]["packages.conda"]) == 2
        )
        assert "The channel chan" in service.trouble
        mend(live, "chan")
        await until(lambda: live.generation() is not None)
        await until(lambda: not service.trouble and not told(live))
    assert any("could not be rendered" in text for text in messages(caplog))


def test_a_package_that_outgrew_its_shard_keeps_the_one_it_had(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.upload(package("alpha"))
    world.upload(package("beta"))
    world.publish()
    monkeypatch.setattr("channeld.formats.shard.SHARD_LIMIT", 300)
    world.upload(package("alpha", "2.0"))
    world.upload(package("beta", "2.0"))
    world.publish()
    seen = world.seen().documents
    assert len(seen["repodata.json"]["packages.conda"]) == 4
    shards = seen["repodata_shards.msgpack.zst"]["shards"]
    assert set(shards["alpha"].sections["packages.conda"]) == {"alpha-1.0-0.conda"}
    world.mark_whole()
    world.publish()
    assert set(world.seen().documents["repodata_shards.msgpack.zst"]["shards"]) == {"alpha", "beta"}
    assert any("'alpha'" in text for text in messages(caplog))
