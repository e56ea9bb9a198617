"""Rule: what nothing needs any more is forgotten, in batches; what something needs, or may need again, is not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels, files, sweeping
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.shards import StoredShard, find, keep
from channeld.catalog.sweeping import SweptArtifact
from tests.support.candidates import ONE, expire, hide, make_staging
from tests.support.catalog import (
    NOW,
    actor,
    add,
    artifact,
    dump,
    flip,
    flips_of,
    generation_of,
    make_channel,
    publish,
    read_work,
    take_lease,
)

ALPHA, BETA = artifact("alpha"), artifact("beta")
DAY = 86_400_000


def shard(number: int) -> tuple[bytes, str, int, int]:
    return (bytes([number]) * 32, f"pack-{number % 2}", number * 10, 10)


def stored(number: int) -> StoredShard:
    return StoredShard(*shard(number))


def delete(database: Database, now_ms: int, channel: str = "chan") -> None:
    database.write_now(lambda c: files.delete(c, channel, "noarch", ALPHA.filename, actor(now_ms)))


def orphans(database: Database, before_ms: int) -> list[int]:
    return database.read_now(lambda c: sweeping.orphans(c, before_ms))


def sweep(database: Database, ids: list[int], before_ms: int) -> list[SweptArtifact]:
    return database.write_now(lambda c: sweeping.sweep_artifacts(c, ids, before_ms, NOW + 99 * DAY))


def test_old_retired_generations_go_and_the_served_one_stays(database: Database) -> None:
    make_channel(database)
    for number, name in enumerate(("a", "b", "c")):
        add(database, artifact(name))
        publish(database, now_ms=NOW + number * DAY)

    dropped = database.write_now(lambda c: sweeping.forget_generations(c, NOW + DAY + 1))

    served = generation_of(database)
    assert served is not None
    assert dropped == [(served.view_id, 1)]
    assert served.number == 3
    kept = database.read_now(lambda c: list(sweeping.generations(c, channels.get(c, "chan").id)))
    assert [(one.number, one.retired_ms) for one in kept] == [(2, NOW + 2 * DAY), (3, None)]
    assert database.write_now(lambda c: sweeping.forget_generations(c, NOW + 99 * DAY)) == [
        (served.view_id, 2)
    ]
    assert database.write_now(lambda c: sweeping.forget_generations(c, NOW + 99 * DAY)) == []


def test_generations_go_oldest_first_and_some_at_a_time(database: Database) -> None:
    make_channel(database)
    for number in range(5):
        add(database, artifact(f"p{number}"))
        publish(database, now_ms=NOW + number)

    first = database.write_now(lambda c: sweeping.forget_generations(c, NOW + DAY, 3))
    second = database.write_now(lambda c: sweeping.forget_generations(c, NOW + DAY, 3))

    assert ([number for _, number in first], [number for _, number in second]) == ([1, 2, 3], [4])


@pytest.fixture
def sharded(database: Database) -> Database:
    channel = make_channel(database)
    add(database, ALPHA)
    publish(database)
    database.write_now(lambda c: keep(c, channel.id, [shard(n) for n in range(6)]))
    return database


def retire(database: Database, live: set[bytes], now_ms: int = NOW) -> int | None:
    def mark(connection: Connection) -> int | None:
        channel_id = channels.get(connection, "chan").id
        seen = sweeping.pointers(connection, channel_id)
        return sweeping.retire_shards(connection, channel_id, live, seen, now_ms)

    return database.write_now(mark)


def sweep_shards(database: Database, before_ms: int, limit: int = 500) -> list[StoredShard]:
    return database.write_now(
        lambda c: sweeping.sweep_shards(c, channels.get(c, "chan").id, before_ms, limit)
    )


def test_a_shard_that_nothing_lists_goes_a_while_after_it_was_found_so(sharded: Database) -> None:
    live = {shard(n)[0] for n in (0, 2, 4)}

    assert retire(sharded, live, NOW) == 3
    assert retire(sharded, live, NOW + DAY) == 0  # the time at which it was found stays
    assert sweep_shards(sharded, NOW) == []
    assert sweep_shards(sharded, NOW + 1, 2) == [stored(1), stored(3)]
    assert sweep_shards(sharded, NOW + 1, 2) == [stored(5)]
    assert sweep_shards(sharded, NOW + 1, 2) == []
    left = sharded.read_now(lambda c: [find(c, channels.get(c, "chan").id, shard(n)[0]) for n in range(6)])
    assert left == [stored(0), None, stored(2), None, stored(4), None]
    assert sharded.read_now(sweeping.packs_of_shards) == {"pack-0"}


def test_a_shard_that_is_listed_again_is_kept_where_it_was_stored_last(sharded: Database) -> None:
    retire(sharded, set(), NOW)
    moved = (shard(1)[0], "another-pack", 7, 10)
    sharded.write_now(lambda c: keep(c, channels.get(c, "chan").id, [moved, shard(9), shard(9)]))

    assert len(sweep_shards(sharded, NOW + DAY)) == 5
    found = sharded.read_now(lambda c: find(c, channels.get(c, "chan").id, shard(1)[0]))
    assert found == StoredShard(*moved)


def test_shards_are_not_retired_when_a_view_has_moved_since_they_were_looked_at(sharded: Database) -> None:
    """The new generation may list a shard that looked dead."""

    def look(connection: Connection) -> tuple[int, dict[int, int]]:
        channel_id = channels.get(connection, "chan").id
        return channel_id, sweeping.pointers(connection, channel_id)

    channel_id, seen = sharded.read_now(look)
    add(sharded, BETA)
    publish(sharded)
    before = dump(sharded)

    assert sharded.write_now(lambda c: sweeping.retire_shards(c, channel_id, set(), seen, NOW)) is None
    assert dump(sharded) == before


def test_a_flip_waits_for_shards_being_retired(sharded: Database) -> None:
    add(sharded, BETA)
    lease, work = take_lease(sharded), read_work(sharded)
    assert work is not None
    flips = flips_of(sharded, work)
    inside, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int | None:
        channel_id = channels.get(connection, "chan").id
        marked = sweeping.retire_shards(
            connection, channel_id, set(), sweeping.pointers(connection, channel_id), NOW
        )
        inside.set()
        go.wait(10)
        return marked

    with ThreadPoolExecutor(2) as threads:
        retiring = threads.submit(sharded.write_now, slow)
        assert inside.wait(10)
        flipping = threads.submit(flip, sharded, work, flips, lease.epoch)
        with pytest.raises(TimeoutError):
            flipping.result(0.2)
        go.set()
        assert retiring.result(10) == 6
        flipping.result(10)


def test_an_artifact_is_orphaned_when_its_last_file_was_deleted_long_enough_ago(database: Database) -> None:
    make_channel(database)
    make_channel(database, "other")
    stored_file = add(database, ALPHA).file
    add(database, ALPHA, channel="other")

    assert orphans(database, NOW + DAY) == []
    delete(database, NOW + 1)
    assert orphans(database, NOW + DAY) == []
    delete(database, NOW + 5, "other")
    assert orphans(database, NOW + 5) == []
    assert orphans(database, NOW + 6) == [stored_file.artifact_id]


def test_one_that_was_stored_just_now_is_none(database: Database) -> None:
    database.write_now(lambda c: files.store_artifact(c, ALPHA, NOW))

    assert orphans(database, NOW) == []
    assert len(orphans(database, NOW + 1)) == 1


def test_an_orphan_without_any_file_is_forgotten_whole(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    database.write_now(lambda c: channels.delete(c, "chan", actor(), force=True))

    swept = sweep(database, orphans(database, NOW + DAY), NOW + DAY)

    assert swept == [SweptArtifact(ALPHA.sha256, ALPHA.filename, ALPHA.size)]
    assert dump(database)["artifacts"] == dump(database)["channel_facts"] == []


def test_one_that_a_deleted_file_names_keeps_its_row_until_its_bytes_come_back(database: Database) -> None:
    make_channel(database)
    first = add(database, ALPHA)
    delete(database, NOW + 1)

    swept = sweep(database, orphans(database, NOW + DAY), NOW + DAY)

    assert [one.sha256 for one in swept] == [ALPHA.sha256]
    assert orphans(database, NOW + 9 * DAY) == []
    back = add(database, ALPHA, now_ms=NOW + 100 * DAY)
    assert (back.outcome, back.file.artifact_id) == ("restored", first.file.artifact_id)
    times = database.read_now(
        lambda c: c.execute(sa.select(t.artifacts.c.stored_ms, t.artifacts.c.swept_ms)).one()
    )
    assert tuple(times) == (NOW + 100 * DAY, None)


def test_one_that_was_taken_in_again_meanwhile_is_not_swept(database: Database) -> None:
    make_channel(database)
    add(database, ALPHA)
    delete(database, NOW + 1)
    found = orphans(database, NOW + DAY)
    add(database, ALPHA, now_ms=NOW + 2)
    before = dump(database)

    assert sweep(database, found, NOW + DAY) == []
    assert dump(database) == before


def test_one_that_is_being_taken_in_is_not_swept(database: Database) -> None:
    """The upload has found the row; it must still be there when the upload commits."""
    make_channel(database)
    make_channel(database, "other")
    add(database, ALPHA)
    delete(database, NOW + 1)
    found = orphans(database, NOW + DAY)
    inside, go = threading.Event(), threading.Event()

    def upload(connection: Connection) -> None:
        files.store_artifact(connection, ALPHA, NOW)
        inside.set()
        go.wait(0.3)
        files.add(connection, "other", ALPHA, ["main"], actor())

    with ThreadPoolExecutor(2) as threads:
        uploading = threads.submit(database.write_now, upload)
        assert inside.wait(10)
        sweeping_it = threads.submit(sweep, database, found, NOW + DAY)
        assert sweeping_it.result(10) == []
        uploading.result(10)
    assert len(dump(database)["artifacts"]) == 1


def test_batches_are_bounded(database: Database) -> None:
    database.write_now(lambda c: [files.store_artifact(c, artifact(f"p{n}"), NOW) for n in range(7)])

    first = database.read_now(lambda c: sweeping.orphans(c, NOW + DAY, 5))
    assert len(first) == 5
    assert len(sweep(database, first, NOW + DAY)) == 5
    assert len(orphans(database, NOW + DAY)) == 2


def test_a_hidden_candidate_needs_its_bytes(database: Database) -> None:
    """However long ago it was hidden: it can be promoted until its row is gone."""
    make_staging(database, ONE)
    hide(database, ONE)
    assert orphans(database, NOW + 99 * DAY) == []

    database.write_now(lambda c: expire(c, NOW + 1))
    assert len(orphans(database, NOW + 99 * DAY)) == 1


def test_what_no_file_names_goes_sooner(database: Database) -> None:
    """A deleted file may stand in a generation that is kept; what a candidate leaves behind stands in none."""
    make_staging(database, ONE)
    make_channel(database)
    add(database, ALPHA)
    delete(database, NOW + 1)
    database.write_now(lambda c: expire(c, NOW + 1))

    def unnamed(before_ms: int) -> list[int]:
        return database.read_now(lambda c: sweeping.orphans(c, 0, unnamed_before_ms=before_ms))

    assert unnamed(NOW) == []
    (artifact_id,) = unnamed(NOW + 1)
    swept = database.write_now(
        lambda c: sweeping.sweep_artifacts(c, [artifact_id], 0, NOW, unnamed_before_ms=NOW + 1)
    )
    assert [one.sha256 for one in swept] == [ONE.sha256]
    assert sweep(database, [artifact_id], NOW + DAY) == []
