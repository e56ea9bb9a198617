"""Rule: pages that were pressed quickly are pressed well by later generations that change their document anyway, next
to the change, and as far as the budget goes; the text and its digest stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channeld.indexing.generation import Paged
from channeld.indexing.press import Levels
from channeld.indexing.publisher import CALM_AFTER
from tests.support.indexing import World, package

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


def test_the_pages_next_to_a_change_are_pressed_again(settled: World) -> None:
    change(settled, 42)
    assert [index for index, level in enumerate(levels(settled)) if level == 9] == [8, 9, 10, 11]
    settled.check()


def test_both_repodata_documents_stay_the_same_frame(settled: World) -> None:
    change(settled, 42)
    raw = settled.raw()
    assert raw["repodata.json"] == raw["repodata_from_packages.json"]


def test_in_the_end_all_of_them_are(settled: World) -> None:
    for version in range(12):
        change(settled, 42, f"2.{version}")
    assert set(levels(settled)) == {9}
    settled.check()


def test_the_text_and_its_digest_stay(settled: World) -> None:
    one = package("package42")
    before = settled.raw()["repodata.json"]
    settled.label(one, "broken")
    settled.publish()
    settled.unlabel(one, "broken")
    settled.publish()
    after = settled.raw()["repodata.json"]
    assert isinstance(before, Paged)
    assert isinstance(after, Paged)
    assert after.raw_digest == before.raw_digest
    assert after.zst_digest != before.zst_digest
    settled.check()


def test_nothing_is_pressed_again_without_a_change_of_the_document(settled: World) -> None:
    before = settled.seen()
    settled.mark_whole()
    settled.publish()
    assert settled.seen().raw == before.raw
    settled.upload(package("other", subdir="noarch"))
    settled.publish()
    assert settled.seen().raw == before.raw


def test_a_publication_that_has_no_time_left_does_none_of_it(settled: World) -> None:
    for number in range(0, 80, 4):
        settled.upload(package(f"package{number:02d}", "2.0"))
    settled.publish()
    assert set(levels(settled)) <= {1, 6}


@pytest.mark.parametrize(("pages", "level"), [(1, 16), (8, 16), (9, 10), (80, 10), (81, 1), (5000, 1)])
def test_the_level_follows_from_the_number_of_pages(pages: int, level: int) -> None:
    assert Levels().for_pages(pages) == level


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
