"""Rule: a damaged piece that publishing meets is logged and counted, and its view is derived anew from the catalog;
nothing damaged is ever published, and no other view is touched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from channeld.catalog import shards
from channeld.formats.shard import decode_shard_index
from channeld.formats.zstdframe import compress_page
from channeld.indexing.generation import Paged
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.pagetable import Place
from channeld.indexing.press import Levels
from channeld.indexing.publisher import ChannelStuck
from tests.support.indexing import SHARDS, World, damage, forget, messages, package

DOCUMENTS = ("repodata.json", "run_exports.json", "current_repodata.json")


@pytest.fixture
def filled(world: World) -> World:
    for number in range(20):
        world.upload(package(f"package{number:02d}"))
        world.upload(package(f"other{number:02d}", subdir="noarch"))
    world.publish()
    return world


def page_of(world: World, name: str, number: int, subdir: str = "linux-64") -> Place:
    return list(world.table(name, subdir).pages())[number].place


def table_of(world: World, name: str, subdir: str = "linux-64") -> Place:
    document = world.raw(subdir)[name]
    return document.table if isinstance(document, Paged) else document.place


def change(world: World, number: int = 3, version: str = "2.0") -> None:
    world.upload(package(f"package{number:02d}", version))
    world.publish()


def check_repaired(world: World, caplog: pytest.LogCaptureFixture, times: int = 1, names: int = 21) -> None:
    forget(world)
    assert len(world.names()) == names
    world.check()
    assert world.publisher.counts.rebuilt_after_damage == times
    found = [text for text in messages(caplog) if "something is damaged" in text]
    assert len(found) == times
    assert all("chan/main/" in text for text in found)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_that_is_edited(filled: World, caplog: pytest.LogCaptureFixture, name: str) -> None:
    before = filled.seen()
    damage(filled, [page_of(filled, name, 0)])
    change(filled, 0)
    if name == "current_repodata.json":  # made anew every time in a small view
        filled.check()
        return
    check_repaired(filled, caplog)
    assert filled.seen().number == before.number + 1


def test_a_page_that_only_the_frame_needs(filled: World, caplog: pytest.LogCaptureFixture) -> None:
    filled.assembly.drop(filled.raw())
    damage(filled, [page_of(filled, "repodata.json", 4)])
    change(filled, 0)
    check_repaired(filled, caplog)


@pytest.mark.parametrize("name", [*DOCUMENTS[:2], SHARDS])
def test_a_page_table_or_the_shard_index(filled: World, caplog: pytest.LogCaptureFixture, name: str) -> None:
    damage(filled, [table_of(filled, name)])
    change(filled)
    check_repaired(filled, caplog)


def test_a_page_of_channeldata(filled: World, caplog: pytest.LogCaptureFixture) -> None:
    damage(filled, [page_of(filled, "channeldata.json", 5, "")])  # behind 20 others
    change(filled, 0)
    check_repaired(filled, caplog)
    assert filled.generation("noarch").number == 1  # type: ignore[union-attr]


def test_the_pack_of_everything_is_gone(filled: World) -> None:
    for name in filled.packs.names():
        (filled.packs.folder / f"{name}.pack").unlink()
    forget(filled)
    filled.upload(package("package03", "2.0"))
    filled.upload(package("other03", "2.0", subdir="noarch"))
    filled.publish()
    forget(filled)
    filled.check()
    assert len(filled.names()) == len(filled.names("noarch")) == 21


def test_what_was_not_damaged_is_not_stored_again(filled: World) -> None:
    before = list(filled.table("repodata.json").pages())
    damage(filled, [before[2].place])
    filled.publisher.rebuild(filled.key())
    filled.publish()
    now = list(filled.table("repodata.json").pages())
    assert [a.place == b.place for a, b in zip(before, now, strict=True)] == [
        index != 2 for index in range(len(before))
    ]
    assert [a.raw_sha256 for a in before] == [b.raw_sha256 for b in now]


def test_a_damaged_shard_is_stored_anew_under_its_name(filled: World) -> None:
    index = filled.place_of_whole(SHARDS)
    sha256 = decode_shard_index(filled.packs.read(index)).shards["package07"]
    channel_id = filled.key().channel_id
    find = partial(shards.find, channel_id=channel_id, sha256=sha256)
    old = filled.database.read_now(find)
    assert old is not None
    damage(filled, [Place(old.pack, old.start, old.size, sha256)])
    filled.publisher.rebuild(filled.key())
    filled.publish()
    new = filled.database.read_now(find)
    assert new is not None
    assert new.pack != old.pack
    assert filled.packs.read(Place(new.pack, new.start, new.size, sha256))
    assert filled.place_of_whole(SHARDS) == index
    filled.check()


def test_a_page_that_was_wrong_when_it_was_written_is_not_built_upon(
    filled: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The compressed bytes have their hash, but decode to something else: memory failed while it was pressed."""

    def misheard(raw: bytes, level: int) -> bytes:
        return compress_page(raw.replace(b"2.0", b"9.9"), level)

    with monkeypatch.context() as patched:
        patched.setattr("channeld.indexing.press.compress_page", misheard)
        change(filled)
    filled.upload(package("package03", "3.0"))
    filled.publish()
    filled.check()
    assert "9.9" not in str(filled.seen().documents)
    assert messages(caplog)


def test_a_page_that_is_pressed_ahead(
    new_world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    world = new_world(levels=Levels(9, 6, 3, settled_pages=0), recompress_pages=2)
    world.make_channel()
    for number in range(20):
        world.upload(package(f"package{number:02d}"))
    world.publish()
    neighbour = page_of(world, "repodata.json", 1)
    settled = new_world(levels=Levels(9, 6, 3, settled_pages=50), recompress_pages=2)
    world.publisher.leadership.release()
    damage(settled, [neighbour])
    change(settled, 0)
    settled.rest()
    assert settled.is_dirty()
    settled.publish()
    check_repaired(settled, caplog)


def test_damage_that_does_not_go_away_leaves_what_is_published(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled.seen()
    filled.assembly.drop(filled.raw())

    def broken(place: Place) -> bytes:
        raise PieceDamaged(place.pack, place.start, "its bytes have changed")

    filled.upload(package("package03", "2.0"))
    with monkeypatch.context() as patched:
        patched.setattr(filled.packs, "read", broken)
        with pytest.raises(ChannelStuck):
            filled.publish()
    assert filled.seen() == before
    assert filled.is_dirty()
    filled.clock.advance(seconds=2)
    filled.publish()
    assert len(filled.names()) == 21


@pytest.mark.parametrize("subdir", ["linux-64", "noarch"])
def test_of_packages_in_several_subdirs_the_same_is_told(filled: World, subdir: str) -> None:
    for version, place in (("1.0", "linux-64"), ("1.0", "noarch"), ("2.0", "noarch"), ("3.0", "linux-64")):
        filled.upload(package("everywhere", version, subdir=place))
    filled.publish()
    before = filled.seen("")
    filled.publisher.rebuild(filled.key(subdir))
    forget(filled)
    filled.publish()
    assert filled.seen("") == before
    filled.check()


@pytest.mark.parametrize(
    "timestamps", [(None, None), (150_000_000_000, 1_700_000_000_000), (1_700_000_000_000, 150_000_000_000)]
)
def test_of_versions_and_times_that_are_nearly_the_same_the_same_is_told(
    world: World, timestamps: tuple[int | None, int | None]
) -> None:
    for version, build, timestamp in zip(("1.0.0", "1.0", "1.0"), "abc", (None, *timestamps), strict=True):
        given: dict[str, Any] = {} if timestamp is None else {"timestamp": timestamp}
        world.upload(package("alpha", version, build, summary=f"{version} {build}", **given))
    world.publish()
    before = world.seen("")
    world.check()
    world.publisher.rebuild(world.key())
    forget(world)
    world.publish()
    assert world.seen("") == before
    world.check()
