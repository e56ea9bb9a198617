"""Rule: a rebuild that fails leaves nothing to those that help: threads that compress, which the next one needs."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from channeld.indexing import rebuild, shardrebuild
from channeld.indexing.packages import make_packages
from channeld.indexing.publisher import ChannelStuck
from tests.support.indexing import World, package


def test_shards_that_waited_are_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("alpha", "beta", "gamma"):
        world.upload(package(name))
    world.publish()
    begun: list[str] = []
    busy = threading.Event()

    def make(packages: Any, lists_removed: bool) -> Any:
        begun.extend(one.name for one in packages)
        return make_packages(packages, lists_removed)

    def fail(_pages: rebuild.Pages) -> None:
        raise RuntimeError("the rows could not be read")

    monkeypatch.setattr(shardrebuild, "make_packages", make)
    monkeypatch.setattr(shardrebuild, "_ROWS_AT_ONCE", 1)
    with monkeypatch.context() as patched:
        patched.setattr(rebuild.Pages, "finish", fail)
        for _ in range(64):  # more than there are threads
            world.engine.executor.submit(busy.wait)
        world.mark_whole("main")
        with pytest.raises(ChannelStuck, match="the rows could not be read"):
            world.publish()
    busy.set()
    world.engine.executor.submit(lambda: None).result()
    assert begun == []

    world.clock.advance(seconds=10)
    world.publish()
    assert sorted(begun) == ["alpha", "beta", "gamma"]
