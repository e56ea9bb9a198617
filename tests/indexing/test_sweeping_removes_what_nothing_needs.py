"""Rule: what nothing refers to goes after its time, and nothing else: everything that is kept is read as before."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from channeld.blobs.durable import DiskUnavailable
from channeld.catalog import channels
from channeld.catalog import tables as t
from channeld.indexing.generation import Paged
from channeld.indexing.leadership import NotTheIndexer
from channeld.indexing.packs import SUFFIX, PackName
from channeld.indexing.pagetable import Place
from channeld.indexing.sweeping import Retention
from tests.support.clock import ManualClock
from tests.support.faults import Fault, FaultyDisk, Steps
from tests.support.indexing import SHARDS, World, damage, forget, messages, package, world_in
from tests.support.sweeping import change, generations, read_all, shard_rows

DAY = 86_400
RETENTION = Retention(generations=10 * DAY, shards=7 * DAY, frame_bytes=0, grace=3600)


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    made = new_world(clock=ManualClock(round(time.time() * 1000)), retention=RETENTION)
    made.make_channel()
    for number in range(16):
        made.upload(package(f"package{number:02d}"))
    made.publish()
    return made


def test_a_sweep_right_after_a_publication_removes_nothing(world: World) -> None:
    for version in range(5):
        change(world, version)
    before, packs = read_all(world), world.packs.names()
    world.sweeper.sweep()
    assert world.packs.names() == packs
    assert read_all(world) == before
    world.check()


def test_old_generations_go_and_those_within_their_time_are_read_as_before(world: World) -> None:
    for version in range(6):
        change(world, version, seconds=4 * DAY)
    before = read_all(world)
    world.clock.advance(seconds=DAY)
    world.sweeper.sweep()
    after = read_all(world)
    assert sorted(before) == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(after) == [4, 5, 6, 7]  # the fourth was replaced nine days ago
    assert after == {number: before[number] for number in after}
    world.check()


def test_nothing_goes_where_all_generations_are_kept(new_world: Callable[..., World]) -> None:
    world = new_world(retention=Retention(generations=0, grace=0, frame_bytes=0))
    world.make_channel()
    for version in range(4):
        change(world, version, seconds=1000 * DAY)
    before, packs = read_all(world), world.packs.names()
    world.clock.advance(seconds=1000 * DAY)
    counts = world.sweeper.sweep()
    assert (counts.generations, counts.shards, counts.packs) == (0, 0, 0)
    assert (read_all(world), world.packs.names()) == (before, packs)


def test_shards_stay_as_long_as_a_kept_generation_or_a_client_may_ask_for_them(world: World) -> None:
    first = shard_rows(world)
    change(world, 1)
    assert shard_rows(world) == first + 1
    for days in (1, 8):
        world.clock.advance(seconds=days * DAY)
        world.sweeper.sweep()
        assert shard_rows(world) == first + 1
    world.clock.advance(seconds=11 * DAY)
    world.sweeper.sweep()
    assert shard_rows(world) == first
    world.check()


def test_a_shard_that_comes_back_is_not_swept(world: World) -> None:
    new = package("package07", "2.0")
    world.upload(new)
    world.publish()
    world.unlabel(new, "main")
    world.publish()
    world.sweeper.sweep()  # notes that nobody lists it
    world.clock.advance(seconds=9 * DAY)
    world.label(new, "main")
    world.publish()
    world.clock.advance(seconds=9 * DAY)
    world.sweeper.sweep()
    assert set(world.seen().documents[SHARDS]["shards"]["package07"].sections["packages.conda"]) == {
        "package07-1.0-0.conda",
        "package07-2.0-0.conda",
    }


def old_world(world: World, changes: int = 24) -> None:
    """Let a world grow old: many small packs, of whose pieces few are still needed."""
    for version in range(changes):
        change(world, version)
    world.clock.advance(seconds=11 * DAY)
    change(world, 1000)
    world.clock.advance(seconds=DAY)


def test_packs_that_are_mostly_dead_are_merged_and_no_digest_changes(world: World) -> None:
    old_world(world)
    before, digests, packs = read_all(world), world.seen().digests(), world.packs.names()
    counts = world.sweeper.sweep()
    assert len(world.packs.names()) < len(packs) / 4
    assert counts.merged >= 1
    assert counts.freed > 0
    assert world.seen().digests() == digests
    after = read_all(world)
    assert after == {number: before[number] for number in after}
    world.check()


def test_merged_packs_are_merged_again_and_go_when_nothing_lives_in_them(world: World) -> None:
    for _ in range(4):
        old_world(world, 10)
        world.sweeper.sweep()
        world.check()
    merged = [name for name in world.packs.names() if PackName.parse(name).merged]  # type: ignore[union-attr]
    assert 1 <= len(merged) <= 2
    for one in [package(f"package{number:02d}") for number in range(16)]:
        world.delete(one)
    world.publish()
    for _ in range(2):
        world.clock.advance(seconds=30 * DAY)
        change(world, round(world.clock.now_ms()))
        world.sweeper.sweep()
    world.check()
    assert sum(map(world.packs.size_of, world.packs.names())) < 60_000


def test_publishing_goes_on_between_the_steps_of_a_sweep(world: World) -> None:
    old_world(world, 20)
    for number, _ in enumerate(world.sweeper.steps()):
        change(world, 2000 + number, seconds=0)
    world.check()
    read_all(world)
    world.clock.advance(seconds=DAY)
    world.sweeper.sweep()
    world.check()


def test_a_sweep_that_is_given_up_at_any_step_has_done_no_harm(world: World) -> None:
    old_world(world, 20)
    before = read_all(world)
    for steps in range(0, 40, 3):
        sweep = world.sweeper.steps()
        for _ in range(steps):
            with suppress(StopIteration):
                next(sweep)
        del sweep
        after = read_all(world)
        assert after == {number: before[number] for number in after}
    world.check()


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed but persisted"])
def test_a_sweep_that_fails_at_any_step_has_done_no_harm(
    new_world: Callable[..., World], persisted: bool
) -> None:
    steps = Steps()
    world = new_world(
        clock=ManualClock(round(time.time() * 1000)), retention=RETENTION, disk=FaultyDisk(steps)
    )
    world.make_channel()
    for number in range(16):
        world.upload(package(f"package{number:02d}"))
    world.publish()
    old_world(world, 12)
    before = read_all(world)
    for step in range(60):
        steps.arm(Fault(step, persisted))
        with suppress(DiskUnavailable):
            world.sweeper.sweep()
        steps.disarm()
        after = read_all(world)
        assert after == {number: before[number] for number in after}
        if not steps.failed:
            break
    world.sweeper.sweep()
    world.check()
    assert not list(world.packs.folder.glob("*.tmp")) or world.packs.names()


def test_a_crash_between_merging_and_deleting_leaves_both_and_the_next_sweep_cleans_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_world(world)
    before = read_all(world)
    with monkeypatch.context() as patched:
        patched.setattr(world.packs, "delete", lambda name: None)
        world.sweeper.sweep()
    packs = world.packs.names()
    assert read_all(world).items() <= before.items()
    world.clock.advance(seconds=DAY)
    world.sweeper.sweep()
    assert len(world.packs.names()) < len(packs) / 4
    world.check()


def test_another_process_finds_what_was_moved(world: World, new_world: Callable[..., World]) -> None:
    other = new_world(clock=world.clock, retention=RETENTION)
    old_world(world)
    before = read_all(other)
    world.sweeper.sweep()
    after = read_all(other)
    assert after == {number: before[number] for number in after}
    other.check()


def test_a_pack_of_a_render_under_way_is_left_alone(world: World) -> None:
    pack = world.packs.writer(PackName.new(world.key().channel_id, world.clock.now_ms(), 1))
    place = pack.add(b"about to be referred to")
    pack.commit()
    world.clock.advance(seconds=3000)
    world.sweeper.sweep()
    assert world.packs.read(place) == b"about to be referred to"
    world.clock.advance(seconds=1000)
    world.sweeper.sweep()
    assert pack.name not in world.packs.names()


def test_packs_of_a_deleted_channel_go(world: World) -> None:
    world.make_channel("second")
    world.upload(package("alpha"), channel="second")
    world.publish()
    packs = len(world.packs.names())
    world.write(lambda c: channels.delete(c, "second", world.actor, force=True))
    world.sweeper.sweep()
    assert len(world.packs.names()) == packs
    world.clock.advance(seconds=DAY)
    world.sweeper.sweep()
    assert len(world.packs.names()) == packs - 1
    world.check()


def test_a_damaged_piece_keeps_its_pack_and_all_else_is_swept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    old_world(world)
    (pack, start, size), *_ = world.database.read_now(
        lambda c: c.execute(sa.select(t.shards.c.pack, t.shards.c.start, t.shards.c.size).offset(20)).all()
    )
    damage(world, [Place(pack, start, size, b"")])
    packs = len(world.packs.names())
    world.sweeper.sweep()
    assert pack in world.packs.names()
    assert len(world.packs.names()) < packs / 4
    assert any("is not merged" in text for text in messages(caplog))
    world.publisher.rebuild(world.key())
    world.publish()
    world.check()


def test_nothing_is_deleted_while_a_table_that_is_served_cannot_be_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    old_world(world)
    document = world.raw()["repodata.json"]
    assert isinstance(document, Paged)
    damage(world, [document.table])
    packs = world.packs.names()
    world.sweeper.sweep()
    assert world.packs.names() == packs
    assert any("cannot be read" in text for text in messages(caplog))
    world.publish()  # the sweep has marked the view
    forget(world)
    world.check()
    world.clock.advance(seconds=DAY)
    world.sweeper.sweep()
    assert len(world.packs.names()) < len(packs)
    world.check()


def test_only_the_holder_of_the_lease_sweeps(world: World, new_world: Callable[..., World]) -> None:
    old_world(world, 5)
    other = new_world(clock=world.clock, retention=RETENTION)
    world.publisher.leadership.hold()
    with pytest.raises(NotTheIndexer):
        other.sweeper.sweep()


def test_temporary_files_go_when_nobody_can_be_writing_them(world: World) -> None:
    old, new = world.packs.folder / "aa.tmp", world.assembly.folder / "bb.tmp"
    sealed = world.assembly.folder / "cc.tmp"
    for path in (old, new, sealed):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(sealed, (time.time(), 0))  # a frame that is about to be given its name
    world.sweeper.sweep()
    assert world.temporary_files() == [new, sealed]


def test_frames_of_the_last_two_generations_stay_and_others_as_long_as_there_is_room(
    new_world: Callable[..., World],
) -> None:
    clock = ManualClock(round(time.time() * 1000))
    roomy = new_world(clock=clock, retention=Retention(frame_bytes=2**30))
    roomy.make_channel()
    for version in range(4):
        change(roomy, version)
    documents = [one["repodata.json"] for _, one in sorted(generations(roomy).items())]
    for document in documents:
        assert isinstance(document, Paged)
        roomy.assembly.ensure(document)

    def there(world: World) -> list[bool]:
        return [world.assembly.path(one).exists() for one in documents if isinstance(one, Paged)]

    roomy.sweeper.sweep()
    assert there(roomy) == [True, True, True, True]
    roomy.publisher.leadership.release()
    narrow = new_world(clock=clock, retention=Retention(frame_bytes=0))
    narrow.sweeper.sweep()
    assert there(narrow) == [False, False, True, True]


def test_files_that_are_not_ours_are_left_alone(world: World) -> None:
    strange = world.packs.folder / f"notes{SUFFIX}"
    strange.write_text("not ours")
    world.clock.advance(seconds=100 * DAY)
    world.sweeper.sweep()
    assert strange.read_text() == "not ours"


def test_reading_an_old_generation_makes_its_frame_again_after_a_merge(world: World) -> None:
    """A request looked its generation up, and opens it when its frame is dropped and its packs are merged."""
    old_world(world)
    asked = {number: one["repodata.json"] for number, one in generations(world).items()}
    world.sweeper.sweep()
    kept = generations(world)
    for number, document in asked.items():
        if number in kept:
            assert isinstance(document, Paged)
            assert not Path(world.assembly.path(document)).exists() or number >= max(asked) - 1
            assert world.text(document)


def test_the_same_sweep_on_both_databases(tmp_path: Path, database_url: str) -> None:
    clock = ManualClock(round(time.time() * 1000))
    with world_in(tmp_path, database_url, clock=clock, retention=RETENTION) as world:
        world.make_channel()
        for number in range(8):
            world.upload(package(f"package{number:02d}"))
        world.publish()
        old_world(world, 6)
        before = read_all(world)
        counts = world.sweeper.sweep()
        after = read_all(world)
        assert after == {number: before[number] for number in after}
        assert min(counts.generations, counts.packs, counts.merged) > 0
        world.check()


def test_partial_reads_of_the_walk_do_not_miss_generations(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.indexing.reach._GENERATIONS_AT_ONCE", 1)
    monkeypatch.setattr("channeld.indexing.reach._SHARDS_AT_ONCE", 2)
    monkeypatch.setattr("channeld.indexing.sweeping._MERGED_PACKS", 3)
    old_world(world, 12)
    before = read_all(world)
    world.sweeper.sweep()
    assert read_all(world).items() <= before.items()
    world.check()
