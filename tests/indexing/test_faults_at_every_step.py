"""Rule: whichever step of a publication fails, and whether or not it took effect, a reader sees the old generation or
the new one, whole; the work is done by the next try, and nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from channeld.catalog.database import Database
from channeld.catalog.unavailable import CatalogUnavailable
from channeld.errors import Unavailable
from tests.support.clock import ManualClock
from tests.support.faults import Fault, FaultyDisk, Steps
from tests.support.indexing import ViewSeen, World, forget, package

#: So often, a step of a kind is made to fail, spread over all of its occurrences.
_OF_A_KIND = 3


def make_publishing_faulty(database: Database, steps: Steps) -> None:
    """Have the transactions of a publisher be steps, too."""
    write_now, snapshot = database.write_now, database.snapshot

    def faulty_write(work: Callable[..., Any]) -> Any:
        fault = steps.due("write catalog")
        if fault is None:
            return write_now(work)
        if fault.persisted:
            write_now(work)
        raise CatalogUnavailable("the write was made to fail")

    @contextmanager
    def faulty_snapshot() -> Iterator[Connection]:
        if steps.due("read catalog") is not None:
            raise CatalogUnavailable("the read was made to fail")
        with snapshot() as connection:
            yield connection

    database.write_now = faulty_write  # type: ignore[method-assign]
    database.snapshot = faulty_snapshot  # type: ignore[method-assign]


class FaultyWorld:
    """A world whose disk and catalog fail when they are told to; every publication is of the same kind."""

    def __init__(self, new_world: Callable[..., World]) -> None:
        self.steps = Steps()
        self.clock = ManualClock(round(time.time() * 1000))
        self.world = new_world(disk=FaultyDisk(self.steps), clock=self.clock)
        self.world.make_channel()
        for number in range(30):
            self.world.upload(package(f"package{number:02d}"))
        self.world.publish()
        make_publishing_faulty(self.world.database, self.steps)
        self._uploads = 0

    def upload(self) -> str:
        """Upload a new version of a package, and have the lease be taken anew."""
        self._uploads += 1
        self.clock.advance(seconds=20)
        one = package("package07", f"2.{self._uploads}")
        self.world.upload(one)
        return one.filename

    def publish_with(self, fault: Fault | None) -> Unavailable | None:
        """Publish with a fault; returns what that came to."""
        self.steps.arm(fault)
        try:
            self.world.publish()
        except Unavailable as error:
            return error
        finally:
            self.steps.disarm()
        return None


@pytest.fixture
def faulty(new_world: Callable[..., World]) -> FaultyWorld:
    return FaultyWorld(new_world)


def chosen(names: list[str]) -> list[int]:
    """Choose some steps of each kind: the first, the last, and one between."""
    found = []
    for kind in dict.fromkeys(names):
        where = [index for index, name in enumerate(names) if name == kind]
        found += sorted({where[0], where[len(where) // 2], where[-1]})[:_OF_A_KIND]
    return found


def fail_at(faulty: FaultyWorld, fault: Fault) -> tuple[ViewSeen, str]:
    """Upload something whose publication fails; returns what was seen before, and the file's name.

    Now and then a publication takes a step more or less than another, as its bytes happen to lie; one that is over
    before the step was due is followed by the next.
    """
    for _ in range(5):
        before, uploaded = faulty.world.seen(), faulty.upload()
        if faulty.publish_with(fault) is not None:
            return before, uploaded
        taken = faulty.steps.taken
        assert len(taken) <= fault.step, f"step {fault.step}, {taken[fault.step]}, failed unnoticed"
    raise AssertionError(f"no publication came to step {fault.step}")


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed but persisted"])
def test_the_old_generation_stays_and_the_next_try_succeeds(faulty: FaultyWorld, persisted: bool) -> None:
    world = faulty.world
    faulty.upload()
    assert faulty.publish_with(None) is None
    names = list(faulty.steps.taken)
    assert {"create", "write", "fsync", "rename", "fsync folder", "write catalog", "read catalog"} <= set(
        names
    )
    for step in chosen(names):
        before, uploaded = fail_at(faulty, Fault(step, persisted))
        *done, last = faulty.steps.taken
        writes = [*done, last if persisted else ""].count("write catalog")
        _check_whole(world, before, uploaded, flipped=writes == 2)  # the lease, and the flip
        forget(world)
        world.publish()
        assert uploaded in world.names()
        world.check()
    _check_nothing_is_left(faulty)


def _check_whole(world: World, before: ViewSeen, uploaded: str, *, flipped: bool) -> None:
    now = world.seen()
    if flipped:
        assert uploaded in world.names()
    else:
        assert now == before
        assert world.is_dirty()


def _check_nothing_is_left(faulty: FaultyWorld) -> None:
    """After a sweep there are no temporary files, and no pack that nothing refers to."""
    world = faulty.world
    faulty.clock.advance(seconds=2 * 86_400)
    world.sweeper.sweep()
    assert world.temporary_files() == []
    world.check()


def test_a_disk_that_does_not_even_let_go_leaves_files_that_are_swept(faulty: FaultyWorld) -> None:
    world = faulty.world

    class StuckDisk(FaultyDisk):
        def unlink(self, path: object) -> None:
            raise OSError(5, "Input/output error")

    world.packs.disk = StuckDisk(faulty.steps)
    faulty.upload()
    faulty.publish_with(None)
    faulty.upload()
    assert faulty.publish_with(Fault(faulty.steps.taken.index("fsync"), persisted=False)) is not None
    left = world.temporary_files()
    world.packs.disk = FaultyDisk(faulty.steps)
    world.publish()
    faulty.clock.advance(seconds=2 * 86_400)
    world.sweeper.sweep()
    assert len(left) == 1
    assert world.temporary_files() == []
    world.check()
