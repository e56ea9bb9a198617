"""Rule: a copy that a crash or trouble broke off is taken up again, by one of those who might, until it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from channeld.blobs.durable import DiskUnavailable
from channeld.catalog import audit, copies
from channeld.catalog.copies import Copy
from channeld.promotion.checking import Checker
from channeld.promotion.copies import BROKEN_OFF_SECONDS, Copies
from channeld.promotion.outcomes import Outcome
from channeld.promotion.registry import OutputRegistry
from tests.support.clock import ManualClock
from tests.support.promotion import PRODUCTION, Bench, Build, errors, production_of

ALPHA, BETA = Build("alpha"), Build("beta")
_DAY_SECONDS = 86_400


@pytest.fixture
def clock(stage: Bench) -> ManualClock:
    assert isinstance(stage.instance.clock, ManualClock)
    stage.instance.clock.advance(seconds=1)
    return stage.instance.clock


def another(stage: Bench, examine: Callable[..., Any] | None = None) -> Copies:
    """Return what another process, which starts now, works with."""
    mine: Checker = stage.instance.copies._checker
    checker = replace(mine, examine=examine) if examine is not None else mine
    return Copies(stage.instance.database, OutputRegistry(), checker, stage.instance.clock)


def look_up(stage: Bench, copy: Copy) -> Copy:
    found = stage.instance.database.read_now(lambda connection: copies.find(connection, copy.id))
    assert found is not None
    return found


def test_a_start_takes_up_what_was_under_way_before(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    assert stage.instance.copies.take_up() == 0
    clock.advance(seconds=1)

    started = another(stage)
    mine = stage.begin(stage.asked(ALPHA))
    assert started.take_up() == 1
    started.close()

    assert look_up(stage, copy).state == "done"
    assert look_up(stage, mine).state == "pinned"
    assert stage.holds(PRODUCTION) == production_of(ALPHA)


def test_later_only_what_nobody_works_on_is_taken_up(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    clock.advance(seconds=BROKEN_OFF_SECONDS - 1)
    assert stage.instance.copies.take_up() == 0
    stage.instance.database.write_now(lambda c: copies.still_at_work(c, copy.id, clock.now_ms()))
    clock.advance(seconds=BROKEN_OFF_SECONDS - 1)
    assert stage.instance.copies.take_up() == 0
    clock.advance(seconds=2)
    assert stage.instance.copies.take_up() == 1
    assert look_up(stage, copy).state == "done"


def test_of_two_one_takes_it_up(each_stage: Bench) -> None:
    stage = each_stage
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    now_ms = copy.updated_ms + 1000
    claims = [stage.instance.database.write_now(lambda c: copies.claim(c, copy, now_ms)) for _ in range(2)]
    assert claims == [True, False]


def test_a_sign_of_life_comes_while_large_files_are_read(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    beat = stage.instance.copies._beat(copy.id)
    beat()
    assert look_up(stage, copy).updated_ms == copy.updated_ms
    clock.advance(seconds=6)
    beat()
    assert look_up(stage, copy).updated_ms == clock.now_ms()


def test_trouble_is_written_down_and_the_copy_ends_with_the_trouble(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    clock.advance(seconds=1)

    def troubled(*_arguments: Any) -> Any:
        raise DiskUnavailable("/srv/data", "it is broken")

    started = another(stage, troubled)
    for _ in range(3):
        assert started.take_up() == 0
        clock.advance(seconds=BROKEN_OFF_SECONDS + 1)
    found = look_up(stage, copy)
    outcome = Outcome.read(found.outcome)
    assert (found.state, outcome.attempts) == ("pinned", 3)
    assert outcome.trouble.startswith("The file system failed at data: it is broken.")
    started.close()
    assert stage.instance.copies.take_up() == 1
    assert stage.holds(PRODUCTION) == production_of(ALPHA)


def test_what_cannot_be_done_fails_in_the_end(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA), "key")
    clock.advance(seconds=_DAY_SECONDS + 1)

    def troubled(*_arguments: Any) -> Any:
        raise DiskUnavailable("/srv/data", "it is broken")

    started = another(stage, troubled)
    assert started.take_up() == 0
    started.close()

    failed = look_up(stage, copy)
    assert (failed.state, errors(failed)) == ("failed", ("The file system failed at data: it is broken.",))
    assert (stage.holds(PRODUCTION), stage.staged(), stage.pins()) == ({}, {ALPHA.sha256}, 0)
    last = stage.instance.database.read_now(lambda connection: audit.newest(connection, limit=1))[0]
    assert (last.action, last.subject) == ("copy.fail", copy.id)
    # its key is free for another try
    assert stage.begin(stage.asked(ALPHA), "key").id != copy.id


def test_a_defect_is_not_met_for_ever(
    stage: Bench, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    stage.upload(ALPHA)
    copy = stage.begin(stage.asked(ALPHA))
    clock.advance(seconds=1)

    def defective(*_arguments: Any) -> Any:
        raise ZeroDivisionError("a secret")

    started = another(stage, defective)
    for _ in range(5):
        started.take_up()
        clock.advance(seconds=BROKEN_OFF_SECONDS + 1)
    started.close()
    failed = look_up(stage, copy)
    assert (failed.state, errors(failed)) == ("failed", ("It met a defect of channeld.",))
    assert caplog.text.count("met a defect") == 5


def test_what_nobody_waits_for_is_carried_out_on_a_thread(stage: Bench) -> None:
    ended = threading.Event()
    working = Copies(
        stage.instance.database,
        OutputRegistry(),
        stage.instance.copies._checker,
        stage.instance.clock,
        lambda _copy: ended.set(),
    )
    stage.upload(ALPHA)
    working.carry_out_later(stage.begin(stage.asked(ALPHA)))
    assert ended.wait(10)
    working.close()
    assert stage.holds(PRODUCTION) == production_of(ALPHA)


def test_finished_copies_are_forgotten_after_a_while(stage: Bench, clock: ManualClock) -> None:
    stage.upload(ALPHA)
    stage.upload(BETA)
    done = stage.copy(stage.asked(ALPHA))
    waiting = stage.begin(stage.asked(BETA))
    clock.advance(seconds=_DAY_SECONDS)
    assert stage.instance.copies.sweep(_DAY_SECONDS + 1) == 0
    assert stage.instance.copies.sweep(_DAY_SECONDS - 1) == 1
    found = stage.instance.database.read_now(
        lambda c: [copies.find(c, each.id) is not None for each in (done, waiting)]
    )
    assert found == [False, True]
    assert stage.pins() == 1
