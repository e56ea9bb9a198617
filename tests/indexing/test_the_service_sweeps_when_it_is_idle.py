"""Rule: a running service sweeps every so often, when nothing is dirty; a failing sweep is trouble like any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from channeld.clock import SystemClock
from channeld.indexing.packs import PackName
from channeld.indexing.service import IndexerService
from channeld.indexing.sweeping import Retention
from tests.support.indexing import World, package
from tests.support.waiting import until


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    made = new_world(clock=SystemClock(), retention=Retention(grace=0))
    made.make_channel()
    made.upload(package("alpha"))
    made.publish()
    return made


def orphan(world: World) -> Path:
    """Leave a pack that nothing refers to."""
    now_ms = time.time_ns() // 1_000_000 - 1000
    pack = world.packs.writer(PackName.new(world.key().channel_id, now_ms, 1))
    pack.add(b"nobody needs this")
    pack.commit()
    return world.packs.folder / f"{pack.name}.pack"


def is_gone(path: Path) -> bool:
    return not path.exists()


async def test_it_sweeps_again_and_again(world: World) -> None:
    service = IndexerService(world.publisher, sweeper=world.sweeper, poll_seconds=0.01, sweep_seconds=0.05)
    service.start()
    try:
        for _ in range(2):
            path = orphan(world)
            await until(partial(is_gone, path))
        world.upload(package("beta"))
        service.wake()
        await until(lambda: len(world.names()) == 2)
    finally:
        await service.stop()
    assert service.trouble == ""
    world.check()


async def test_it_does_not_sweep_before_the_time(world: World) -> None:
    path = orphan(world)
    service = IndexerService(world.publisher, sweeper=world.sweeper, poll_seconds=0.01, sweep_seconds=600)
    service.start()
    await asyncio.sleep(0.2)
    await service.stop()
    assert path.exists()


async def test_a_sweep_that_fails_is_told_and_begun_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(5, "Input/output error")]
    delete = world.packs.delete

    def failing(name: str) -> None:
        if failures:
            raise failures.pop()
        delete(name)

    monkeypatch.setattr(world.packs, "delete", failing)
    path = orphan(world)
    service = IndexerService(world.publisher, sweeper=world.sweeper, poll_seconds=0.01, sweep_seconds=0.05)
    service.start()
    try:
        await until(lambda: "Input/output error" in service.trouble)
        await until(lambda: not path.exists())
        await until(lambda: not service.trouble)
    finally:
        await service.stop()
