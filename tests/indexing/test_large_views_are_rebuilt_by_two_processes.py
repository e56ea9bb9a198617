"""Rule: a process helps to rebuild a large view, and nobody can tell it from what comes out: not even when it ends."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from typing import Any

import pytest

from channeld.indexing import errands, shardrebuild
from channeld.indexing.helperprocess import HelperProcess
from channeld.indexing.stopping import Stopped
from tests.indexing.conftest import NewWorld
from tests.support.indexing import World, package

NAMES = [f"name-{number}" for number in range(12)]


def fill(world: World) -> None:
    world.make_channel()
    for name in NAMES:
        for version in ("1.0", "1.1"):
            world.upload(package(name, version, run_exports={"weak": [name]}))
        world.upload(package(name, "0.9", extension=".tar.bz2"))
    world.delete(package(NAMES[3], "1.0"))


class Watched(HelperProcess):
    """Counts the calls that it is handed."""

    made: list[Watched]

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.made.append(self)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        return super().submit(function, *args, **kwargs)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    Watched.made = []
    monkeypatch.setattr(errands, "HelperProcess", Watched)
    monkeypatch.setattr(shardrebuild, "_ROWS_AT_ONCE", 4)
    return Watched.made


def published(world: World) -> dict[str, Any]:
    world.publish()
    world.check()
    return {subdir: world.seen(subdir).digests() for subdir in ("linux-64", "")}


def test_it_comes_out_as_without(new_world: NewWorld, made: list[Watched]) -> None:
    alone, helped = new_world("alone"), new_world("helped", helped_from=1)
    for world in (alone, helped):
        fill(world)
    assert published(helped) == published(alone)
    (process,) = made  # for shards and channeldata.json alike
    assert process.calls >= 2


def test_a_small_view_has_no_process(new_world: NewWorld, made: list[Watched]) -> None:
    world = new_world(helped_from=1000)
    fill(world)
    published(world)
    assert made == []


def test_a_process_that_is_killed_is_done_without(
    new_world: NewWorld, made: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, helped = new_world("alone"), new_world("helped", helped_from=1)
    for world in (alone, helped):
        fill(world)
    submit = Watched.submit

    def kill_first(self: Watched, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.calls == 1:
            os.kill(submit(self, os.getpid).result(), signal.SIGKILL)
        return submit(self, function, *args, **kwargs)

    monkeypatch.setattr(Watched, "submit", kill_first)
    assert published(helped) == published(alone)
    assert len(made) == 1


def test_a_process_that_cannot_be_started_is_done_without(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alone, helped = new_world("alone"), new_world("helped", helped_from=1)
    for world in (alone, helped):
        fill(world)

    def fail() -> HelperProcess:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(errands, "HelperProcess", fail)
    assert published(helped) == published(alone)
    assert "No helper process can be started: no more processes." in caplog.text


def test_a_rebuild_that_fails_leaves_no_process(
    new_world: NewWorld, made: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(helped_from=1)
    fill(world)
    ended: list[bool] = []
    shutdown = Watched.shutdown

    def note(self: Watched, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(self, wait, cancel_futures=cancel_futures)
        ended.append(wait and cancel_futures)

    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(Watched, "shutdown", note)
    with monkeypatch.context() as patched:
        patched.setattr(shardrebuild.RebuiltShards, "finish", fail)
        with pytest.raises(Exception, match="the disk is gone"):
            world.publish()
    assert (len(made), ended) == (1, [True])


def test_a_publisher_that_is_to_stop_does_not_wait_for_a_process(
    new_world: NewWorld, made: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(helped_from=1)
    fill(world)
    submit = Watched.submit

    def stop_first(self: Watched, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.calls == 1:
            os.kill(submit(self, os.getpid).result(), signal.SIGSTOP)
            world.publisher.stop.set()
        return submit(self, function, *args, **kwargs)

    monkeypatch.setattr(Watched, "submit", stop_first)
    with pytest.raises(Stopped):
        world.publish()
    assert len(made) == 1
