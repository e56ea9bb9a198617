"""Rule: whoever changes several things takes their locks in one order, so no two wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, files, labels, shards, views
from channeld.catalog.database import Database
from channeld.catalog.rejections import ChannelMissing
from channeld.catalog.shards import NewShard
from tests.support.catalog import (
    NOW,
    actor,
    add,
    artifact,
    dump,
    flips_of,
    generation_of,
    make_channel,
    publish,
    read_work,
    take_lease,
)


def test_two_that_lock_two_channels_in_opposite_order_both_get_through(database: Database) -> None:
    for name in ("a", "b"):
        make_channel(database, name)
    both = threading.Barrier(2, timeout=10)

    def bump(names: list[str]) -> None:
        def work(connection: Connection) -> None:
            for channel in channels.lock(connection, names).values():
                channels.next_revision(connection, channel)

        both.wait()
        for _ in range(25):
            database.write_now(work)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(bump, ["a", "b"]), threads.submit(bump, ["b", "a"])]:
            done.result(30)

    assert [channel.revision for channel in database.read_now(channels.every)] == [51, 51]


def test_a_lock_of_a_channel_that_is_not_there_is_refused(database: Database) -> None:
    make_channel(database, "a")
    before = dump(database)

    with pytest.raises(ChannelMissing) as rejection:
        database.write_now(lambda connection: channels.lock(connection, ["zz", "a", "a"]))
    assert rejection.value.channel == "zz"
    assert dump(database) == before


def test_changes_of_one_channel_are_ordered_by_its_lock(database: Database) -> None:
    make_channel(database)
    inside = threading.Event()

    def slow(connection: Connection) -> int:
        channel = channels.lock(connection, ["chan"])["chan"]
        inside.set()
        time.sleep(0.2)
        return channels.next_revision(connection, channel)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(database.write_now, slow)
        inside.wait(10)
        second = threads.submit(add, database, artifact())
        assert (first.result(10), second.result(10).revision) == (2, 3)


def test_a_flip_does_not_wait_for_an_upload_under_way(database: Database) -> None:
    """On SQLite it does, for there is one writer; it must at least not wait for its commit for ever."""
    make_channel(database)
    add(database, artifact("alpha"))
    lease, work = take_lease(database), read_work(database)
    assert work is not None
    flips = flips_of(database, work)
    inside, flipped = threading.Event(), threading.Event()

    def upload(connection: Connection) -> None:
        files.add(connection, "chan", artifact("beta"), ["main"], actor())
        inside.set()
        if database.write_engine.dialect.name == "postgresql":
            assert flipped.wait(10)

    with ThreadPoolExecutor(2) as threads:
        uploading = threads.submit(database.write_now, upload)
        assert inside.wait(10)
        database.write_now(lambda c: views.flip(c, work, flips, lease.epoch, NOW))
        flipped.set()
        uploading.result(10)

    generation = generation_of(database)
    assert generation is not None
    assert generation.number == 1
    left = read_work(database)
    assert left is not None
    assert [one.filenames for one in left.views] == [frozenset({artifact("beta").filename})]


def delete(connection: Connection, label: str) -> None:
    """Delete a label, or the whole channel when none is named."""
    if label:
        labels.delete(connection, "chan", label, actor())
    else:
        channels.delete(connection, "chan", actor(), force=True)


@pytest.mark.parametrize("victim", ["label", "channel"])
def test_a_flip_and_a_deletion_do_not_wait_for_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    """The flip has a view and wants to refer to the channel; the deletion has the channel and wants the view."""
    make_channel(database)
    add(database, artifact("alpha"))
    add(database, artifact("beta"), "label")
    publish(database)
    add(database, artifact("gamma"), "label")
    lease, work = take_lease(database), read_work(database)
    assert work is not None
    flips = [replace(one, new_shards=[(bytes(32), "pack", 0, 1)]) for one in flips_of(database, work)]
    has_view, keep = threading.Event(), shards.keep

    def keep_late(connection: Connection, channel_id: int, new: Sequence[NewShard]) -> None:
        has_view.set()
        time.sleep(0.3)  # until the deletion has what it can get
        keep(connection, channel_id, new)

    monkeypatch.setattr(shards, "keep", keep_late)
    with ThreadPoolExecutor(2) as threads:
        flipping = threads.submit(database.write_now, lambda c: views.flip(c, work, flips, lease.epoch, NOW))
        assert has_view.wait(10)
        deleting = threads.submit(
            database.write_now, lambda c: delete(c, "label" if victim == "label" else "")
        )
        assert (flipping.exception(15), deleting.exception(15)) == (None, None)
