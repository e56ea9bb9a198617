"""Rule: of several publishers on one catalog the holder of the lease publishes; who was overtaken moves nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from channeld.catalog import channels, labels, leases
from channeld.catalog.audit import Actor
from channeld.catalog.views import FlipRefused
from channeld.clock import SystemClock
from channeld.indexing import leadership
from channeld.indexing.leadership import NotTheIndexer
from tests.support.clock import ManualClock
from tests.support.indexing import CHANNEL, World, package, world_in


@pytest.fixture
def pair(tmp_path: Path, database_url: str) -> Iterator[tuple[World, World]]:
    """Two publishers that share catalog, folder and clock."""
    clock = ManualClock()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(world_in(tmp_path, database_url, clock=clock, holder=holder))
            for holder in ("one", "two")
        )
        one.make_channel()
        yield one, two


def while_rendering(world: World, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Have something happen between the next render and its flip."""
    ensure = world.assembly.ensure
    done = threading.Event()

    def interrupted(*args: Any) -> Path:
        if not done.is_set():
            done.set()
            work()
        return ensure(*args)

    monkeypatch.setattr(world.assembly, "ensure", interrupted)


def test_only_the_holder_of_the_lease_publishes(pair: tuple[World, World]) -> None:
    one, two = pair
    one.upload(package("alpha"))
    one.publish()
    two.upload(package("beta"))
    with pytest.raises(NotTheIndexer, match="held by one"):
        two.publish()
    assert two.is_dirty()
    one.publish()
    assert two.publish() == []
    assert two.names() == {package("alpha").filename, package("beta").filename}


def test_the_other_one_takes_over_when_the_lease_ends_or_is_given_back(pair: tuple[World, World]) -> None:
    one, two = pair
    one.upload(package("alpha"))
    one.publish()
    one.upload(package("beta"))
    one.clock.advance(seconds=leadership.LEASE_MS / 1000 + 1)
    two.publish()
    two.upload(package("gamma"))
    two.publisher.leadership.release()
    one.publish()
    assert len(one.names()) == 3


def test_who_was_overtaken_while_rendering_moves_nothing(
    pair: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    one.upload(package("alpha"))
    one.publish()

    def overtake() -> None:
        one.clock.advance(seconds=60)
        two.upload(package("gamma"))
        two.publish()

    one.upload(package("beta"))
    while_rendering(one, monkeypatch, overtake)
    with pytest.raises(FlipRefused):
        one.publisher.publish_next()
    assert len(one.names()) == 3
    generation = one.generation()
    assert generation is not None
    assert generation.number == 2
    two.check()
    one.clock.advance(seconds=60)
    assert one.publish() == []


def test_a_render_that_takes_long_keeps_its_lease(
    pair: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    for number in range(100):
        one.upload(package(f"package{number:03d}"))
    add = leadership.Leadership.prolong
    held = []

    def slow(self: leadership.Leadership) -> None:
        one.clock.advance(seconds=4)
        add(self)
        with pytest.raises(NotTheIndexer):
            two.publisher.leadership.hold()
        held.append(one.clock.now_ms())

    monkeypatch.setattr(leadership.Leadership, "prolong", slow)
    one.publish()
    assert held[-1] - held[0] > leadership.LEASE_MS
    assert len(one.names()) == 100


def test_a_render_gives_up_when_it_sees_that_it_was_overtaken(
    pair: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    one.upload(package("alpha"))
    prolong = leadership.Leadership.prolong

    def late(self: leadership.Leadership) -> None:
        if self is one.publisher.leadership:
            one.clock.advance(seconds=60)
            two.publish()
        prolong(self)

    monkeypatch.setattr(leadership.Leadership, "prolong", late)
    with pytest.raises(NotTheIndexer):
        one.publish()
    assert one.names() == {package("alpha").filename}
    assert one.temporary_files() == []


def test_an_idle_publisher_takes_no_lease_and_writes_nothing(pair: tuple[World, World]) -> None:
    one, _ = pair
    assert one.publish() == []
    assert one.database.read_now(lambda c: leases.find(c, leases.INDEXER)) is None


def test_a_channel_that_is_deleted_while_it_is_rendered_is_no_trouble(
    pair: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    one.upload(package("alpha"))
    actor = Actor("tester", "local", 0)
    while_rendering(
        one, monkeypatch, lambda: one.write(lambda c: channels.delete(c, CHANNEL, actor, force=True))
    )
    with pytest.raises(FlipRefused):
        one.publish()
    assert one.publish() == []
    assert one.views() == []


def test_a_label_that_is_deleted_while_it_is_rendered_ends_up_empty(
    pair: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    one.upload(package("alpha"), "main", "dev")
    while_rendering(
        one, monkeypatch, lambda: one.write(lambda c: labels.delete(c, CHANNEL, "dev", one.actor))
    )
    one.publish()
    assert not one.is_dirty()
    one.write(lambda c: labels.create(c, CHANNEL, "dev", one.actor))
    assert one.names(label="dev") == set()
    assert one.names() == {package("alpha").filename}
    one.check()


def test_two_at_work_at_once_publish_everything(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "LEASE_MS", 30)  # so it changes hands all the time
    with ExitStack() as stack:
        worlds = [
            stack.enter_context(world_in(tmp_path, database_url, clock=SystemClock(), holder=holder))
            for holder in ("one", "two")
        ]
        worlds[0].make_channel()
        packages = [package(f"package{number:02d}") for number in range(40)]
        uploaded = threading.Event()

        def publish(world: World) -> int:
            refused = 0
            while not uploaded.is_set() or world.is_dirty():
                try:
                    world.publish()
                except (NotTheIndexer, FlipRefused):
                    refused += 1
                    uploaded.wait(0.002)
            return refused

        def upload() -> None:
            for one in packages:
                worlds[0].upload(one)
            uploaded.set()

        with ThreadPoolExecutor(3) as threads:
            publishing = [threads.submit(publish, world) for world in worlds]
            threads.submit(upload).result()
            for each in publishing:
                each.result()
        assert worlds[0].names() == {one.filename for one in packages}
        worlds[0].check()
