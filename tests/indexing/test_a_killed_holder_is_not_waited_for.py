"""Rule: the lease of a process that was killed on this machine is free at once; that of a living one is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from channeld.catalog import leases
from channeld.catalog.database import Database
from channeld.indexing.leadership import LEASE_MS, Leadership, NotTheIndexer
from tests.support.clock import ManualClock


def name_of_one_who_is_gone() -> str:
    program = "from channeld import lives; print(lives.new_name())"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_dead_ones_lease_is_taken_at_once_under_a_new_epoch(database: Database) -> None:
    clock, gone = ManualClock(), name_of_one_who_is_gone()
    now_ms = clock.now_ms()
    database.write_now(lambda c: leases.take(c, leases.INDEXER, gone, now_ms, LEASE_MS))

    lease = Leadership(database, clock).hold()

    assert (lease.epoch, lease.expires_ms) == (2, now_ms + LEASE_MS)


def test_a_living_ones_lease_is_waited_for(database: Database) -> None:
    clock = ManualClock()
    living, other = Leadership(database, clock), Leadership(database, clock)
    first = living.hold()

    with pytest.raises(NotTheIndexer):
        other.hold()
    assert living.hold() == first
