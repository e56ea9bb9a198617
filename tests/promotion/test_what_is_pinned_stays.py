"""Rule: once a copy is accepted, nothing that becomes of its candidate changes what is copied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from channeld.catalog import candidates, channels
from channeld.catalog.copies import Copy
from channeld.intake.sweeping import Sweeper
from tests.support.clock import ManualClock
from tests.support.promotion import PRODUCTION, STAGING, Bench, Build, production_of

ALPHA = Build("alpha")
OTHERS = [Build("alpha", content=str(number)) for number in range(3)]
_YEAR_SECONDS = 366 * 86_400

Event = Callable[[Bench], object]


def expire(stage: Bench) -> None:
    """Have everything on staging be too old."""
    clock = stage.instance.clock
    assert isinstance(clock, ManualClock)
    clock.advance(seconds=_YEAR_SECONDS)

    def work(connection: Connection) -> int:
        channel = channels.get(connection, STAGING)
        ids = candidates.expired(connection, channel, clock.now_ms())
        return candidates.expire(connection, STAGING, ids, clock.now_ms(), stage.actor())

    assert stage.instance.database.write_now(work) == 1


def others_come(stage: Bench) -> None:
    for build in OTHERS:
        stage.upload(build)


def sweep(stage: Bench) -> None:
    """Sweep whatever nobody holds, however young it is."""
    instance = stage.instance
    clock = ManualClock(instance.clock.now_ms() + 50 * _YEAR_SECONDS * 1000)
    Sweeper(instance.database, instance.blobs, clock, keep_artifacts_seconds=1).sweep()


EVENTS: dict[str, tuple[Event, ...]] = {
    "deleted and swept": (lambda stage: stage.delete(ALPHA), sweep),
    "expired and swept": (expire, sweep),
    "expired, and others came": (expire, others_come, sweep),
    "relabelled": (lambda stage: stage.upload(ALPHA, "rc"),),
}


@pytest.mark.parametrize("name", EVENTS)
def test_what_becomes_of_the_candidate_changes_nothing(each_stage: Bench, name: str) -> None:
    stage = each_stage
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    for event in EVENTS[name]:
        event(stage)
    is_copied(stage, stage.instance.copies.carry_out(copy.id))


def test_nor_after_the_check(stage: Bench) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    assert stage.instance.copies.check(copy.id)
    for event in EVENTS["expired, and others came"]:
        event(stage)
    is_copied(stage, stage.instance.copies.conclude(copy.id))


def is_copied(stage: Bench, done: Copy | None) -> None:
    """Make sure that production has the bytes, now and after the next sweep."""
    assert done is not None
    assert done.state == "done"
    assert stage.holds(PRODUCTION) == production_of(ALPHA)
    assert stage.pins() == 0
    sweep(stage)
    assert stage.instance.blobs.path(ALPHA.sha256).read_bytes() == ALPHA.data


def test_a_hidden_candidate_can_be_copied_by_its_hash(stage: Bench) -> None:
    """Under a token that many share, a deletion must not keep another's build out."""
    stage.upload(ALPHA)
    stage.delete(ALPHA)
    assert stage.copy(stage.asked(ALPHA)).state == "done"
    assert stage.holds(PRODUCTION) == production_of(ALPHA)


def test_what_is_no_longer_pinned_is_swept(stage: Bench) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    stage.instance.blobs.path(ALPHA.sha256).write_bytes(b"damaged")
    refused = stage.instance.copies.carry_out(copy.id)
    assert refused is not None
    assert (refused.state, stage.pins()) == ("refused", 0)
    expire(stage)
    sweep(stage)
    assert not stage.instance.blobs.path(ALPHA.sha256).exists()
