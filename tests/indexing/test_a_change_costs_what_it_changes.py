"""Rule: publishing one change writes the pages and shards that it touches, and reads no others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection

from channeld.catalog import files
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.paging import PageSize
from channeld.indexing.press import Press
from tests.support.indexing import CHANNEL, SHARDS, World, package

COUNT = 120


@pytest.fixture
def large(world: World) -> World:
    """A view of 120 packages in pages of four."""
    for number in range(COUNT):
        world.upload(package(f"package{number:04d}"))
    world.publish()
    return world


def pages_of(world: World, name: str) -> tuple[Page, ...]:
    return world.table(name).section("packages.conda")


def test_one_page_of_each_document_is_new(large: World) -> None:
    names = ("repodata.json", "repodata_from_packages.json", "run_exports.json")
    before = {name: pages_of(large, name) for name in names}
    large.upload(package("package0050", "2.0"))
    large.publish()
    for name in names:
        now = pages_of(large, name)
        assert len(now) == len(before[name])
        assert sum(page not in before[name] for page in now) == 1


def test_both_repodata_documents_share_their_pages_and_their_frame(large: World) -> None:
    raw = large.raw()
    assert raw["repodata.json"] == raw["repodata_from_packages.json"]
    assert len(list(large.assembly.folder.glob("*.zst"))) == len({*map(str, large.seen().digests().values())})


def test_one_shard_is_new_and_the_others_stay_where_they_are(large: World) -> None:
    before = large.seen().documents[SHARDS]["shards"]
    large.upload(package("package0050", "2.0"))
    large.publish()
    now = large.seen().documents[SHARDS]["shards"]
    assert [name for name in now if now[name] != before[name]] == ["package0050"]


def test_what_is_written_does_not_grow_with_the_view(new_world: Callable[..., World]) -> None:
    """But for the shard index, which has 50 bytes for each name."""
    written = []
    for count in (300, 1500):
        world = new_world(str(count), page_size=PageSize(8, 10_000))
        world.make_channel()
        world.write(partial(_fill, world, count=count))
        world.publish()
        world.upload(package("package0050", "2.0"))
        (publication,) = world.publish()
        written.append(publication.bytes_written - world.place_of_whole(SHARDS).size)
    assert written[1] < written[0] * 1.5


def _fill(world: World, connection: Connection, *, count: int) -> None:
    for number in range(count):
        one = package(f"package{number:04d}")
        files.add(connection, CHANNEL, one, ["main"], world.actor)


def test_what_is_loaded_does_not_grow_with_the_view(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Place] = []
    load = Press.load

    def counted(press: Press, page: Page) -> bytes:
        loaded.append(page.place)
        return load(press, page)

    monkeypatch.setattr(Press, "load", counted)
    large.upload(package("package0050", "2.0"))
    large.publish()
    # one page of repodata.json, which repodata_from_packages.json has too, of run_exports.json, and of channeldata.json
    assert len(loaded) == 3


def test_views_that_are_not_dirty_get_no_new_generation(large: World) -> None:
    large.upload(package("other", subdir="noarch"))
    (publication,) = large.publish()
    assert publication.views == ("main/noarch", "main/")
    large.upload(package("package0050", "2.0"))
    (publication,) = large.publish()
    assert publication.views == ("main/linux-64", "main/")


def test_a_change_that_comes_to_nothing_writes_nothing(large: World) -> None:
    one = package("package0007")
    before = large.seen()
    large.label(one, "broken")
    large.unlabel(one, "broken")
    (publication,) = large.publish()
    now = large.seen()
    assert now == before
    assert publication.views == ("broken/linux-64", "broken/")


def test_publishing_when_nothing_is_dirty_makes_no_file_and_no_row(large: World) -> None:
    packs, lease = large.packs.names(), large.generation()
    assert large.publish() == []
    assert large.packs.names() == packs
    assert large.generation() == lease


def test_a_large_batch_is_derived_anew_and_comes_to_the_same(
    large: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.catalog.views.MOST_CHANGED", 5)
    more = [package(f"more{number}") for number in range(10)]
    for one in more:
        large.upload(one)
    large.publish()
    assert {one.filename for one in more} < large.names()
    assert len(large.names()) == COUNT + 10
    large.check()
