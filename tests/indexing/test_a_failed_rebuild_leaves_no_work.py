"""Rule: a rebuild that fails leaves nothing on the threads that compress; the next one needs them."""

from __future__ import annotations

import threading

import pytest

from channeld.formats.shard import compress_shard
from channeld.indexing import rebuild
from channeld.indexing.publisher import ChannelStuck
from tests.support.indexing import World, package


def test_shards_that_waited_are_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make_channel()
    for name in ("alpha", "beta", "gamma"):
        world.upload(package(name))
    world.publish()
    compressed: list[bytes] = []
    busy = threading.Event()

    def compress(packed: bytes) -> bytes:
        compressed.append(packed)
        return compress_shard(packed)

    def fail(_pages: rebuild.Pages) -> None:
        raise RuntimeError("the rows could not be read")

    monkeypatch.setattr(rebuild, "compress_shard", compress)
    with monkeypatch.context() as patched:
        patched.setattr(rebuild.Pages, "finish", fail)
        for _ in range(64):  # more than there are threads
            world.engine.executor.submit(busy.wait)
        world.mark_whole("main")
        with pytest.raises(ChannelStuck, match="the rows could not be read"):
            world.publish()
    busy.set()
    world.engine.executor.submit(lambda: None).result()
    assert compressed == []
