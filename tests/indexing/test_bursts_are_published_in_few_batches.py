"""Rule: a burst of changes is published in few batches, and a change that comes alone is published at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channeld.clock import SystemClock
from channeld.indexing.press import Levels
from channeld.indexing.publisher import CALM_AFTER, LARGE_BATCH, Publication
from channeld.indexing.service import IndexerService, breath
from tests.support.indexing import World, package
from tests.support.waiting import until


async def published(world: World, count: int) -> None:
    await until(lambda: world.generation() is not None and len(world.names()) >= count)


def upload(world: World, first: int, count: int, *labels: str) -> None:
    for number in range(first, first + count):
        world.upload(package(f"package{number}"), "main", *labels)


async def test_what_comes_after_a_large_batch_is_one_batch(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    upload(world, 0, LARGE_BATCH)
    service = IndexerService(world.publisher, poll_seconds=0.01, breath_after=lambda made: 1.0)
    service.start()
    try:
        await published(world, LARGE_BATCH)
        for number in range(LARGE_BATCH, LARGE_BATCH + 4):
            upload(world, number, 1)
            service.wake()
            await asyncio.sleep(0.05)
        assert len(world.names()) == LARGE_BATCH
        await published(world, LARGE_BATCH + 4)
    finally:
        await service.stop()
    last = world.generation()
    assert last is not None
    assert last.number == 2


async def test_small_batches_follow_each_other_without_a_pause(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    service = IndexerService(world.publisher, poll_seconds=0.01)
    service.start()
    try:
        for number in range(3):
            upload(world, 2 * number, 2)
            service.wake()
            await published(world, 2 * number + 2)
    finally:
        await service.stop()


def test_the_pause_follows_from_the_last_publication_and_keeps_no_change_waiting_for_long() -> None:
    def made(render_ms: int, *, hurried: bool = True) -> Publication:
        return Publication(1, "channel", 1, ("main/noarch",), 1, 0, render_ms, 0, hurried)

    assert breath(made(100, hurried=False)) == 0.0
    assert breath(made(100)) == pytest.approx(0.2)
    assert breath(made(125)) == pytest.approx(0.25)
    assert breath(made(200)) == pytest.approx(0.1)
    assert breath(made(250)) == breath(made(9_000)) == 0.0


def test_a_change_soon_after_a_publication_is_one_of_many(new_world: Callable[..., World]) -> None:
    world = new_world(levels=Levels(9, 6, 1, settled_pages=100), recompress_pages=8)
    world.make_channel()
    seen = []
    for number, after in enumerate((0.0, CALM_AFTER - 0.1, CALM_AFTER - 0.1, CALM_AFTER + 0.1)):
        world.clock.advance(seconds=after)
        upload(world, number, 1)
        (publication,) = world.publish()
        seen.append((publication.hurried, {page.level for page in world.table("repodata.json").pages()}))
    assert seen == [(False, {9}), (True, {1}), (True, {1}), (False, {9})]


@pytest.mark.parametrize(("labels", "level"), [((), 9), (("one", "two"), 6)])
def test_the_level_is_one_for_the_pages_of_all_views_that_change(
    new_world: Callable[..., World], labels: tuple[str, ...], level: int
) -> None:
    world = new_world(levels=Levels(9, 6, 1, settled_pages=8))
    world.make_channel()
    upload(world, 0, 6, *labels)
    world.publish()
    before = {page.raw_sha256 for page in world.table("repodata.json").pages()}
    world.clock.advance(seconds=CALM_AFTER)
    upload(world, 6, 1, *labels)
    (publication,) = world.publish()
    assert not publication.hurried
    new = [page for page in world.table("repodata.json").pages() if page.raw_sha256 not in before]
    assert [page.level for page in new] == [level]


async def test_a_pause_does_not_keep_the_service_from_stopping(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    upload(world, 0, 1)
    service = IndexerService(world.publisher, poll_seconds=0.01, breath_after=lambda made: 60.0)
    service.start()
    await published(world, 1)
    async with asyncio.timeout(5):
        await service.stop()


def test_a_large_batch_is_not_pressed_at_the_settled_level(new_world: Callable[..., World]) -> None:
    world = new_world(levels=Levels(9, 6, 1, settled_pages=100), recompress_pages=8)
    world.make_channel()
    upload(world, 10, LARGE_BATCH)
    world.publish()
    assert {page.level for page in world.table("repodata.json").pages()} == {6}
    world.clock.advance(seconds=CALM_AFTER + 0.1)
    upload(world, 40, LARGE_BATCH - 1)
    world.publish()
    assert {page.level for page in world.table("repodata.json").pages()} == {6, 9}
    world.rest()
    world.clock.advance(seconds=CALM_AFTER + 0.1)
    upload(world, 70, 1)
    world.publish()
    assert {page.level for page in world.table("repodata.json").pages()} == {9}


async def test_a_channel_that_rests_keeps_no_other_waiting(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    world.make_channel("other")
    upload(world, 0, LARGE_BATCH)
    service = IndexerService(world.publisher, poll_seconds=0.01, breath_after=lambda made: 60.0)
    service.start()
    try:
        await published(world, LARGE_BATCH)
        world.upload(package("late"))
        world.upload(package("alpha"), channel="other")
        service.wake()
        await until(lambda: world.publications[-1].channel == "other")
        assert len(world.names()) == LARGE_BATCH
    finally:
        await service.stop()
    assert [one.channel for one in world.publications] == ["chan", "other"]
