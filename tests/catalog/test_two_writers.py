"""Rule: of two writers one publishes; the other is refused, moves nothing, and its work stays dirty."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from channeld.catalog import channels, leases, views
from channeld.catalog.database import Database
from channeld.catalog.leases import Lease
from channeld.catalog.views import DirtyWork, FlipRefused
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


def take(database: Database, holder: str, now_ms: int, name: str = leases.INDEXER) -> Lease | None:
    return database.write_now(lambda c: leases.take(c, name, holder, now_ms, 1000))


def work_of(database: Database) -> DirtyWork:
    work = read_work(database)
    assert work is not None
    return work


def test_a_stale_generation_is_refused_and_nothing_is_moved(database: Database) -> None:
    make_channel(database)
    add(database, artifact("alpha"), "main", "dev")
    lease, work = take_lease(database), work_of(database)
    flips = flips_of(database, work)
    flip(database, work, flips, lease.epoch)
    add(database, artifact("beta"), "dev", "zz")
    new_work = work_of(database)
    before = dump(database)

    # "zz" has had no generation yet and could be flipped; "dev" was rendered on one that is no longer there
    stale = [one for one in flips if one.key.label == "dev"]
    fresh = [one for one in flips_of(database, new_work) if one.key.label == "zz"]
    with pytest.raises(FlipRefused, match="chan/dev/noarch"):
        flip(database, new_work, [*fresh, *stale], lease.epoch)
    assert dump(database) == before


def test_a_stale_pointer_is_refused_also_later_in_its_life(database: Database) -> None:
    make_channel(database)
    for name in ("a", "b"):
        add(database, artifact(name))
        publish(database)
    add(database, artifact("c"))
    lease, work = take_lease(database), work_of(database)
    flips = flips_of(database, work)
    publish(database)
    add(database, artifact("d"))
    before = dump(database)

    with pytest.raises(FlipRefused):
        flip(database, work, flips, lease.epoch)
    assert dump(database) == before


def test_a_stale_epoch_is_refused(database: Database) -> None:
    make_channel(database)
    add(database, artifact("alpha"))
    publish(database)
    add(database, artifact("beta"))
    old = take(database, "indexer-1", NOW)
    work = work_of(database)
    flips = flips_of(database, work)
    new = take(database, "indexer-2", NOW + 100_000)
    assert old is not None
    assert new is not None
    assert new.epoch == old.epoch + 1
    before = dump(database)

    with pytest.raises(FlipRefused):
        flip(database, work, flips, old.epoch)
    assert dump(database) == before
    flip(database, work, flips, new.epoch)
    with pytest.raises(FlipRefused):
        flip(database, work, flips, new.epoch)


def test_a_stale_epoch_is_refused_for_the_first_generation_too(database: Database) -> None:
    """There is no pointer yet whose epoch could be compared."""
    make_channel(database)
    add(database, artifact("alpha"))
    old = take(database, "indexer-1", NOW)
    work = work_of(database)
    flips = flips_of(database, work)
    take(database, "indexer-2", NOW + 2000)
    assert old is not None
    before = dump(database)

    with pytest.raises(FlipRefused):
        flip(database, work, flips, old.epoch)
    assert dump(database) == before
    assert generation_of(database) is None


def test_without_a_lease_nothing_is_published(database: Database) -> None:
    make_channel(database)
    add(database, artifact("alpha"))
    work = work_of(database)
    before = dump(database)

    with pytest.raises(FlipRefused):
        flip(database, work, flips_of(database, work), 1)
    assert dump(database) == before


def test_a_stale_epoch_cannot_call_a_view_unchanged_either(database: Database) -> None:
    """It would delete the marks of a change that the new holder has not rendered."""
    make_channel(database)
    add(database, artifact("alpha"))
    old, work = take(database, "indexer-1", NOW), work_of(database)
    take(database, "indexer-2", NOW + 2000)
    assert old is not None
    before = dump(database)

    with pytest.raises(FlipRefused):
        database.write_now(
            lambda c: views.flip(c, work, [], old.epoch, NOW, unchanged=[one.key for one in work.views])
        )
    assert dump(database) == before


def test_of_two_first_flips_at_once_one_is_made(database: Database) -> None:
    make_channel(database)
    lease = take_lease(database)
    for round_number in range(5):
        label = f"label-{round_number}"
        add(database, artifact(f"p{round_number}"), label)
        work = work_of(database)
        flips = flips_of(database, work)

        def race(work: DirtyWork = work, flips: list[views.Flip] = flips) -> bool:
            try:
                flip(database, work, flips, lease.epoch)
            except FlipRefused:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            won = list(threads.map(lambda _, race=race: race(), range(4)))
        assert sum(won) == 1
        generation = generation_of(database, label)
        assert generation is not None
        assert generation.number == 1


def test_a_render_of_a_deleted_channel_is_refused(database: Database) -> None:
    make_channel(database)
    add(database, artifact("alpha"))
    lease, work = take_lease(database), work_of(database)
    flips = flips_of(database, work)
    database.write_now(lambda c: channels.delete(c, "chan", actor(), force=True))
    make_channel(database, "other")
    add(database, artifact("beta"), channel="other")
    before = dump(database)

    with pytest.raises(FlipRefused):
        flip(database, work, flips, lease.epoch)
    assert dump(database) == before


def test_a_lease_is_one_holders_until_it_ends(database: Database) -> None:
    first = take(database, "a", NOW)
    assert first == Lease(leases.INDEXER, "a", 1, NOW + 1000)
    assert take(database, "b", NOW + 999) is None
    assert take(database, "a", NOW + 500) == Lease(leases.INDEXER, "a", 1, NOW + 1500)  # prolonged
    assert take(database, "b", NOW + 1499) is None
    second = take(database, "b", NOW + 1500)
    assert second == Lease(leases.INDEXER, "b", 2, NOW + 2500)
    assert database.read_now(lambda c: leases.find(c, leases.INDEXER)) == second
    assert database.write_now(lambda c: leases.holds(c, second))
    assert not database.write_now(lambda c: leases.holds(c, first))


def test_a_lease_given_back_is_free_at_once(database: Database) -> None:
    first = take(database, "a", NOW)
    assert first is not None
    database.write_now(lambda c: leases.release(c, first))

    second = take(database, "b", NOW + 1)

    assert second is not None
    assert second.epoch == 2
    database.write_now(lambda c: leases.release(c, first))  # one's own only
    assert take(database, "c", NOW + 2) is None


def test_a_holder_complains_under_its_own_epoch_only(database: Database) -> None:
    first = take(database, "a", NOW)
    assert first is not None
    database.write_now(lambda c: leases.complain(c, first, "The disk is full."))
    second = take(database, "b", NOW + 5000)
    assert second is not None
    assert second.trouble == "The disk is full."
    database.write_now(lambda c: leases.complain(c, second, ""))
    database.write_now(lambda c: leases.complain(c, first, "The disk is full."))

    found = database.read_now(lambda c: leases.find(c, leases.INDEXER))
    assert found is not None
    assert found.trouble == ""


def test_of_many_who_want_a_free_lease_one_gets_it(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda n: take(database, f"holder-{n}", NOW), range(8)))

    assert len([lease for lease in taken if lease is not None]) == 1
