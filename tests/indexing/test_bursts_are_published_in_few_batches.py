"""Rule: a burst of changes is published in few batches, and a change that comes alone is published at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channeld.clock import SystemClock
from channeld.indexing.service import IndexerService
from tests.support.indexing import World, package


async def published(world: World, count: int) -> None:
    async with asyncio.timeout(20):
        while world.generation() is None or len(world.names()) < count:  # noqa: ASYNC110 - on other threads
            await asyncio.sleep(0.01)


def upload(world: World, first: int, count: int) -> None:
    for number in range(first, first + count):
        world.upload(package(f"package{number}"))


async def test_what_comes_after_a_large_batch_is_one_batch(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    upload(world, 0, 8)
    service = IndexerService(world.publisher, poll_seconds=0.01, breath_seconds=1.0)
    service.start()
    try:
        await published(world, 8)
        for number in range(8, 12):
            upload(world, number, 1)
            service.wake()
            await asyncio.sleep(0.05)
        assert len(world.names()) == 8
        await published(world, 12)
    finally:
        await service.stop()
    last = world.generation()
    assert last is not None
    assert last.number == 2


async def test_small_batches_follow_each_other_without_a_pause(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    service = IndexerService(world.publisher, poll_seconds=0.01, breath_seconds=60.0)
    service.start()
    try:
        for number in range(3):
            upload(world, 2 * number, 2)
            service.wake()
            await published(world, 2 * number + 2)
    finally:
        await service.stop()
