"""Rule: a large view gets its current_repodata.json behind the publish path: later, not too often, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from channeld.catalog import channels
from channeld.clock import SystemClock
from channeld.formats.current import current_repodata
from channeld.indexing.generation import Paged
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.refresh import SOON_SECONDS, Drawing, Refresher, is_stale, refresh_all
from channeld.indexing.render import Rendered
from channeld.indexing.service import IndexerService
from channeld.indexing.stopping import Stopped
from tests.support.indexing import SHARDS, World, damage, forget, package
from tests.support.waiting import until

CURRENT = "current_repodata.json"
NAMES = [f"package{number:02d}" for number in range(12)]


@pytest.fixture(autouse=True)
def every_view_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channeld.indexing.work.SMALL", 5)


@pytest.fixture
def large(world: World) -> World:
    for name in NAMES:
        for version in ("1.0", "2.0"):
            world.upload(package(name, version, depends=["package00 1.0"]))
    world.upload(package("package01", "2.0", extension=".tar.bz2"))
    world.upload(package("package02", "3.0", v3=True))
    world.label(package("package03", "2.0"), "broken")
    world.publish()
    return world


def refresher(world: World, **options: Any) -> Refresher:
    return Refresher(world.database, world.engine, world.clock, rest=lambda seconds: None, **options)


def draw(world: World, drawing: Refresher | None = None) -> Rendered | None:
    """Draw what is stale and publish it, at once."""
    drawing = drawing or refresher(world)
    stale = drawing.find()
    if stale is None:
        return None
    drawn = drawing.draw(stale)
    assert world.publisher.adopt(drawn)
    return drawn


def expected(world: World) -> dict[str, Any]:
    """Draw the document from the published repodata.json, all in memory."""
    repodata = world.seen().documents["repodata.json"]
    sections = ("packages", "packages.conda")
    kept = current_repodata({section: repodata[section].items() for section in sections})
    document = {key: value for key, value in repodata.items() if key != "v3"}
    document["info"] = {"subdir": "linux-64"}
    for section in sections:
        document[section] = {name: record for name, record in repodata[section].items() if name in kept}
    for name, record in document["packages.conda"].items():
        twin = repodata["packages"].get(name.removesuffix(".conda") + ".tar.bz2")
        if twin is not None:
            document["packages.conda"][name] = {**record, "legacy_bz2_md5": twin["md5"]}
    return document


def test_publishing_does_not_wait_for_it(large: World) -> None:
    assert CURRENT not in large.raw()
    large.check()


def test_it_is_put_into_a_later_generation_of_the_same_revision(large: World) -> None:
    before = large.seen()
    draw(large)
    now = large.seen()
    assert now.documents[CURRENT] == expected(large)
    assert (now.number, now.revision) == (before.number + 1, before.revision)
    assert {name: one for name, one in now.raw.items() if name != CURRENT} == before.raw
    assert "package00-1.0-0.conda" in now.documents[CURRENT]["packages.conda"]  # somebody depends on it
    assert now.documents[CURRENT]["packages.conda"]["package01-2.0-0.conda"]["legacy_bz2_md5"]
    large.check()


def test_once_it_is_drawn_nothing_is_stale_also_after_a_restart(large: World) -> None:
    draw(large)
    assert draw(large) is None
    forget(large)
    assert refresher(large).find() is None


def test_a_change_keeps_the_old_one_and_makes_it_stale(large: World) -> None:
    draw(large)
    old = large.raw()[CURRENT]
    large.upload(package("package05", "3.0"))
    large.publish()
    assert large.raw()[CURRENT] == old
    assert is_stale(large.raw())
    assert refresher(large).find() is not None  # somebody else finds it too
    draw(large)
    assert large.seen().documents[CURRENT] == expected(large)
    assert not is_stale(large.raw())


def test_only_names_that_changed_are_looked_at_again(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = refresher(large, every_seconds=0)
    draw(large, drawing)
    asked: list[set[str]] = []
    groups = Refresher._groups

    def watched(self: Refresher, channel_id: int, hashes: dict[str, bytes]) -> Any:
        asked.append(set(hashes))
        return groups(self, channel_id, hashes)

    monkeypatch.setattr(Refresher, "_groups", watched)
    large.upload(package("package05", "3.0"))
    large.publish()
    large.clock.advance(seconds=1)
    draw(large, drawing)
    assert asked[0] == {"package05"}
    assert large.seen().documents[CURRENT] == expected(large)


def test_a_view_is_not_drawn_too_often(large: World) -> None:
    drawing = refresher(large, every_seconds=600)
    draw(large, drawing)
    large.upload(package("package05", "3.0"))
    large.publish()
    assert drawing.find() is None
    large.clock.advance(seconds=599)
    assert drawing.find() is None
    large.clock.advance(seconds=2)
    assert drawing.find() is not None


def test_one_that_lists_what_was_removed_is_drawn_soon(large: World) -> None:
    drawing = refresher(large, every_seconds=600)
    draw(large, drawing)
    gone = package("package05", "2.0")
    assert gone.filename in large.seen().documents[CURRENT]["packages.conda"]
    large.delete(gone)
    large.publish()
    large.clock.advance(seconds=SOON_SECONDS - 1)
    assert drawing.find() is None
    large.clock.advance(seconds=2)
    draw(large, drawing)
    assert gone.filename not in large.seen().documents[CURRENT]["packages.conda"]
    assert large.seen().documents[CURRENT] == expected(large)


def test_one_that_lists_what_is_broken_since_is_drawn_soon(large: World) -> None:
    drawing = refresher(large, every_seconds=600)
    draw(large, drawing)
    large.label(package("package05", "2.0"), "broken")
    large.publish()
    large.clock.advance(seconds=SOON_SECONDS + 1)
    draw(large, drawing)
    assert large.seen().documents[CURRENT] == expected(large)


def test_one_that_a_rebuild_left_out_is_drawn_soon(large: World) -> None:
    drawing = refresher(large, every_seconds=600)
    draw(large, drawing)
    damage(large, [page.place for page in large.table(CURRENT).pages()])
    large.publisher.rebuild(large.key())
    large.publish()
    assert CURRENT not in large.raw()
    large.clock.advance(seconds=SOON_SECONDS + 1)
    draw(large, drawing)
    assert large.seen().documents[CURRENT] == expected(large)


def test_one_that_takes_long_is_drawn_less_often(large: World) -> None:
    slow = Refresher(large.database, large.engine, large.clock, every_seconds=1, rest=lambda seconds: None)
    find = slow._select

    def dear(stale: Any) -> set[str]:
        large.clock.advance(seconds=100)
        return find(stale)

    slow._select = dear  # type: ignore[method-assign]
    draw(large, slow)
    large.upload(package("package05", "3.0"))
    large.publish()
    large.clock.advance(seconds=1900)
    assert slow.find() is None
    large.clock.advance(seconds=200)
    assert slow.find() is not None


def test_what_was_published_while_it_was_drawn_is_kept(large: World) -> None:
    drawing = refresher(large, every_seconds=0)
    stale = drawing.find()
    assert stale is not None
    drawn = drawing.draw(stale)
    large.upload(package("package05", "3.0"))
    large.publish()
    assert large.publisher.adopt(drawn)
    assert "package05-3.0-0.conda" in large.names()
    assert is_stale(large.raw())
    large.clock.advance(seconds=1)
    draw(large, drawing)
    assert large.seen().documents[CURRENT] == expected(large)
    large.check()


def test_a_view_that_is_gone_meanwhile_is_no_trouble(large: World) -> None:
    drawing = refresher(large)
    stale = drawing.find()
    assert stale is not None
    drawn = drawing.draw(stale)
    large.write(lambda c: channels.delete(c, "chan", large.actor, force=True))
    assert not large.publisher.adopt(drawn)


def test_unchanged_pages_and_an_unchanged_text_stay(large: World) -> None:
    draw(large)
    first = large.raw()[CURRENT]
    assert isinstance(first, Paged)
    large.clock.advance(seconds=5)
    large.upload(package("package05", "0.5"))  # older than what is kept
    large.publish()
    draw(large)
    second = large.raw()[CURRENT]
    assert isinstance(second, Paged)
    assert (second.raw_digest, second.zst_digest, second.modified_ms) == (
        first.raw_digest,
        first.zst_digest,
        first.modified_ms,
    )
    assert second.source != first.source


def test_a_damaged_one_is_left_out_by_a_rebuild_and_drawn_again(large: World) -> None:
    draw(large)
    (page, *_) = large.table(CURRENT).pages()
    damage(large, [page.place])
    large.publisher.rebuild(large.key())
    large.publish()
    assert CURRENT not in large.raw()
    draw(large)
    assert large.seen().documents[CURRENT] == expected(large)
    large.check()


def test_damage_that_drawing_meets_has_the_view_derived_anew(large: World) -> None:
    damage(large, [large.place_of_whole(SHARDS)])
    drawing = refresher(large)
    stale = drawing.find()
    assert stale is not None
    with pytest.raises(PieceDamaged):
        drawing.draw(stale)
    handed = Drawing(large.publisher, refresher(large))
    assert handed.step()
    while not handed.step():
        pass
    assert large.is_dirty()
    large.publish()
    draw(large)
    large.check()
    handed.close()


def test_all_that_is_stale_may_be_drawn_at_once(large: World) -> None:
    for name in NAMES:
        large.upload(package(name, subdir="noarch"))
    large.publish()
    drawing = refresher(large)
    assert refresh_all(large.publisher, drawing) == 2
    assert refresh_all(large.publisher, drawing) == 0
    assert large.seen().documents[CURRENT] == expected(large)
    assert CURRENT in large.raw("noarch")


def test_drawing_is_given_up_when_the_process_stops(large: World) -> None:
    drawing = refresher(large)
    stale = drawing.find()
    assert stale is not None
    drawing.stop.set()
    with pytest.raises(Stopped):
        drawing.draw(stale)
    assert large.temporary_files() == []


async def test_the_service_draws_when_it_is_idle(new_world: Callable[..., World]) -> None:
    world = new_world(clock=SystemClock())
    world.make_channel()
    for name in NAMES:
        world.upload(package(name))
    service = IndexerService(world.publisher, refresher=refresher(world), poll_seconds=0.01)
    service.start()
    try:
        await until(lambda: CURRENT in world.raw())
    finally:
        await service.stop()
    assert world.seen().documents[CURRENT] == expected(world)
    assert service.trouble == ""
