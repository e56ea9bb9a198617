"""Rule: pages that were pressed quickly are pressed well between publications, next to the change; the next one that
changes their document takes them as they are. The text and its digest stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

import pytest

from channeld.catalog.views import FlipRefused
from channeld.clock import SystemClock
from channeld.indexing.ahead import press_page
from channeld.indexing.generation import Paged
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import Page
from channeld.indexing.press import Levels
from channeld.indexing.publisher import CALM_AFTER
from channeld.indexing.service import IndexerService
from tests.support.indexing import World, damage, forget, messages, package
from tests.support.waiting import until

HURRIED = Levels(9, 1, 1, settled_pages=0, middle_pages=0)
SETTLED = Levels(9, 6, 1, settled_pages=15, middle_pages=40)

NewWorld = Callable[..., World]


@pytest.fixture
def settled(new_world: NewWorld) -> World:
    """A view of 80 packages in pages of four, all pressed quickly, and a publisher that has time."""
    hurried = new_world(levels=HURRIED)
    hurried.make_channel()
    for number in range(80):
        hurried.upload(package(f"package{number:02d}"))
    hurried.publish()
    hurried.publisher.leadership.release()
    return new_world(levels=SETTLED, recompress_pages=3)


def levels(world: World, name: str = "repodata.json") -> list[int]:
    return [page.level for page in world.table(name).pages()]


def change(world: World, number: int, version: str = "2.0") -> None:
    world.clock.advance(seconds=CALM_AFTER)  # a change on its own, and not one of many
    world.upload(package(f"package{number:02d}", version))
    world.publish()


def well(world: World, name: str = "repodata.json") -> list[int]:
    """List the pages at the settled level."""
    return [index for index, level in enumerate(levels(world, name)) if level == 9]


def test_a_publication_presses_the_page_that_changed_only(settled: World) -> None:
    change(settled, 42)
    assert well(settled) == [10]


def test_the_next_one_takes_the_pages_beside_it_that_were_pressed_meanwhile(settled: World) -> None:
    change(settled, 42)
    settled.rest()
    change(settled, 79)
    assert well(settled) == [8, 9, 10, 11, 19]
    settled.rest()
    change(settled, 0)
    assert well(settled) == [0, 8, 9, 10, 11, 16, 17, 18, 19]
    settled.check()


def test_nothing_is_published_because_of_them_alone(settled: World) -> None:
    change(settled, 42)
    before = settled.raw()
    settled.rest()
    settled.mark_whole()
    settled.publish()
    assert settled.raw() == before


def test_what_is_not_ready_keeps_no_publication_waiting(
    settled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = Event()

    def press_late(packs: Packs, page: Page, level: int) -> bytes:
        assert goes_on.wait(60)
        return press_page(packs, page, level)

    change(settled, 42)
    with monkeypatch.context() as patched:
        patched.setattr("channeld.indexing.ahead.press_page", press_late)
        assert settled.publisher.ahead.step()
        change(settled, 79)
    assert well(settled) == [10, 19]
    goes_on.set()
    settled.rest()
    change(settled, 0)
    assert well(settled) == [0, 9, 10, 16, 17, 18, 19]


def test_both_repodata_documents_stay_the_same_frame(settled: World) -> None:
    change(settled, 42)
    settled.rest()
    change(settled, 79)
    raw = settled.raw()
    assert raw["repodata.json"] == raw["repodata_from_packages.json"]


def test_in_the_end_all_of_them_are(settled: World) -> None:
    for version in range(12):
        change(settled, 42, f"2.{version}")
        settled.rest()
    assert set(levels(settled)) == {9}
    assert not settled.publisher.ahead.step()
    settled.check()


def test_the_text_and_its_digest_stay(settled: World) -> None:
    one = package("package42")
    before = settled.raw()["repodata.json"]
    settled.label(one, "broken")
    settled.publish()
    settled.clock.advance(seconds=CALM_AFTER)
    settled.unlabel(one, "broken")
    settled.publish()
    after = settled.raw()["repodata.json"]
    assert isinstance(before, Paged)
    assert isinstance(after, Paged)
    assert after.raw_digest == before.raw_digest
    assert after.zst_digest != before.zst_digest
    settled.check()


def test_nothing_of_a_document_that_did_not_change_is_pressed(settled: World) -> None:
    settled.mark_whole()
    settled.publish()
    assert not settled.publisher.ahead.step()
    settled.upload(package("other", subdir="noarch"))
    settled.publish()
    settled.rest()
    change(settled, 42)
    assert well(settled) == [10]


def test_after_one_of_many_changes_nothing_is_pressed(settled: World) -> None:
    for number in range(0, 80, 4):
        settled.upload(package(f"package{number:02d}", "2.0"))
    settled.publish()
    assert set(levels(settled)) <= {1, 6}
    assert not settled.publisher.ahead.step()


def test_one_of_many_changes_takes_what_is_ready(settled: World) -> None:
    change(settled, 42)
    settled.rest()
    settled.upload(package("package79", "2.0"))
    (publication,) = settled.publish()
    assert publication.hurried
    assert well(settled) == [8, 9, 10, 11]
    settled.check()


async def test_a_service_with_nothing_to_publish_presses_them(new_world: NewWorld) -> None:
    world = new_world(levels=SETTLED, recompress_pages=3, clock=SystemClock())
    world.make_channel()
    for number in range(80):
        world.upload(package(f"package{number:02d}"))
    world.publish()
    await asyncio.sleep(CALM_AFTER)
    assert set(levels(world)) == {6}
    service = IndexerService(world.publisher, poll_seconds=0.01)
    service.start()
    world.upload(package("package42", "2.0"))
    await until(lambda: len(world.publisher.ahead.ready()) == 3)
    world.upload(package("package79", "2.0"))
    await until(lambda: not world.is_dirty())
    await service.stop()
    assert well(world)[:4] == [8, 9, 10, 11]


def test_what_a_record_of_a_new_kind_says_in_the_head_stays(new_world: NewWorld) -> None:
    hurried = new_world(levels=HURRIED)
    hurried.make_channel()
    for number in range(40):
        hurried.upload(package(f"package{number:02d}", v3=True))
        hurried.clock.advance(seconds=1)
    hurried.publish()
    hurried.publisher.leadership.release()
    world = new_world(levels=SETTLED, recompress_pages=20, clock=hurried.clock)
    before = world.seen().documents["repodata.json"]["info"]["repodata_revisions"]["v3"]
    for number in (20, 39):
        world.clock.advance(seconds=CALM_AFTER)
        world.label(package(f"package{number:02d}", v3=True), "broken")
        world.publish()
        world.rest()
    after = world.seen().documents["repodata.json"]["info"]["repodata_revisions"]["v3"]
    assert set(levels(world)) == {9}
    assert after == {**before, "n_packages": 38, "newest": before["newest"] - 1000}


def test_damage_is_told_of_the_view_that_has_it(
    new_world: NewWorld, caplog: pytest.LogCaptureFixture
) -> None:
    hurried = new_world(levels=HURRIED)
    for channel in ("aaa", "bbb"):
        hurried.make_channel(channel)
        for number in range(40):
            hurried.upload(package(f"package{number:02d}"), channel=channel)
    hurried.publish()
    hurried.publisher.leadership.release()
    world = new_world(levels=SETTLED, recompress_pages=3)

    def change_in(channel: str, number: int) -> None:
        world.clock.advance(seconds=CALM_AFTER)
        world.upload(package(f"package{number:02d}", "2.0"), channel=channel)
        world.publish()

    document = world.raw(channel="aaa")["repodata.json"]
    assert isinstance(document, Paged)
    damage(world, [list(world.tables.get(document.table).pages())[4].place])
    change_in("bbb", 20)
    world.rest()
    assert not world.is_dirty()
    change_in("aaa", 20)
    world.rest()
    assert world.is_dirty()
    world.publish()
    (message,) = messages(caplog)
    assert message.startswith("In the view aaa/main/linux-64 something is damaged:")
    world.check()


def test_a_publication_that_came_to_nothing_leaves_what_is_ready(
    settled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(settled, 42)
    settled.rest()
    ready = settled.publisher.ahead.ready()

    def refused(*_: object, **__: object) -> None:
        raise FlipRefused("chan")

    with monkeypatch.context() as patched:
        patched.setattr("channeld.catalog.views.flip", refused)
        with pytest.raises(FlipRefused):
            change(settled, 79)
    assert settled.publisher.ahead.ready() == ready
    assert not settled.publisher.ahead.step()
    settled.publish()
    assert well(settled) == [8, 9, 10, 11, 19]
    assert settled.publisher.ahead.ready() == frozenset()


def test_damage_of_several_pages_is_told_once(settled: World) -> None:
    change(settled, 42)
    pages = list(settled.table("repodata.json").pages())
    damage(settled, [pages[index].place for index in (8, 9, 11)])
    settled.rest()
    for number in (79, 0, 60):
        change(settled, number)
        settled.rest()
    assert settled.publisher.counts.rebuilt_after_damage == 1
    forget(settled)
    settled.check()


def test_no_more_pages_are_pressed_than_the_setting_says_whatever_documents_changed(settled: World) -> None:
    change(settled, 42)
    settled.rest()
    assert len(settled.publisher.ahead.ready()) == 3


def test_with_a_setting_of_0_no_page_is_pressed_ahead(new_world: NewWorld, settled: World) -> None:
    settled.publisher.leadership.release()
    world = new_world(levels=SETTLED, recompress_pages=0)
    change(world, 42)
    assert not world.publisher.ahead.step()
    change(world, 79)
    assert well(world) == [10, 19]


@pytest.mark.parametrize(("count", "level"), [(1, 16), (8, 16), (9, 10), (80, 10), (81, 1), (5000, 1)])
def test_the_level_follows_from_the_number_of_pages(count: int, level: int) -> None:
    assert Levels().for_pages(count) == level


def test_a_rebuild_presses_its_first_pages_well_and_all_others_in_time(new_world: NewWorld) -> None:
    world = new_world(levels=Levels(9, 6, 1, settled_pages=3, middle_pages=7))
    world.make_channel()
    for number in range(80):
        world.upload(package(f"package{number:02d}"))
    world.publish()
    found = [levels(world, name).count(9) for name in ("repodata.json", "repodata_from_packages.json")]
    assert found[0] == found[1] <= 3
    assert levels(world).count(6) > 10
    assert levels(world).count(1) == 0
