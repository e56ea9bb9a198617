"""Whatever step of a copy fails, and whether or not it took effect: all that is to be copied is, or nothing.

What was written down is taken up again and comes to its end, once; what was not may be asked for again.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from channeld.catalog import audit
from channeld.errors import Unavailable
from channeld.promotion.asking import Extent
from channeld.promotion.copies import BROKEN_OFF_SECONDS
from tests.support.clock import ManualClock
from tests.support.faults import Fault, Steps, make_faulty_for_threads
from tests.support.promotion import PRODUCTION, Bench, Build, production_of

#: What a copy of two packages does, in order.
STEPS = (
    "write catalog",  # decided, written down and pinned
    "read catalog",
    "open bytes",
    "open bytes",
    "write catalog",  # checked
    "write catalog",  # done
)


def builds_of(number: int) -> tuple[Build, Build, Build]:
    """Return two packages to be copied, and one that staging does not have."""
    version = f"{number}.0"
    return Build("alpha", version), Build("beta", version), Build("gamma", version)


def ends(stage: Bench, copy_id: str) -> list[str]:
    """List what the audit has about the end of a copy."""
    rows = stage.instance.database.read_now(lambda connection: audit.newest(connection, limit=1000))
    return [row.action for row in rows if row.subject == copy_id]


def test_these_are_the_steps(stage: Bench) -> None:
    steps = Steps()
    alpha, beta, _ = builds_of(1)
    stage.upload(alpha)
    stage.upload(beta)
    make_faulty_for_threads(stage.instance.database, stage.instance.blobs, steps)
    steps.arm()
    stage.copy(stage.asked(alpha, beta))
    assert tuple(steps.taken) == STEPS


@pytest.mark.parametrize("extent", Extent)
def test_a_failed_step_of_a_copy(stage: Bench, extent: Extent) -> None:
    steps, clock = Steps(), stage.instance.clock
    assert isinstance(clock, ManualClock)
    make_faulty_for_threads(stage.instance.database, stage.instance.blobs, steps)
    expected = production_of()
    for number, step in enumerate((*range(len(STEPS)),) * 2, start=1):
        fault = Fault(step, persisted=number > len(STEPS))
        alpha, beta, missing = builds_of(number)
        for build in (alpha, beta):
            stage.upload(build)
        wanted = (alpha, beta, missing) if extent is Extent.SURVIVORS else (alpha, beta)
        asked = replace(stage.asked(*wanted), extent=extent)
        clock.advance(seconds=1)

        steps.arm(fault)
        with pytest.raises(Unavailable):
            stage.copy(asked)
        steps.disarm()

        begun = step > 0 or fault.persisted
        whole = fault.persisted and step == len(STEPS) - 1
        here = production_of(alpha, beta)
        assert stage.holds(PRODUCTION) == expected | (here if whole else {})
        assert stage.staged() == (set() if whole else {alpha.sha256, beta.sha256})
        assert stage.pins() == (2 if begun and not whole else 0)

        clock.advance(seconds=BROKEN_OFF_SECONDS + 1)
        assert stage.instance.copies.take_up() == (begun and not whole)
        assert stage.holds(PRODUCTION) == expected | (here if begun else {})

        again = stage.copy(asked)
        assert again.state == ("partly" if extent is Extent.SURVIVORS else "done")
        expected |= here
        assert (stage.holds(PRODUCTION), stage.staged(), stage.pins()) == (expected, set(), 0)
        assert stage.instance.copies.take_up() == 0


def test_what_was_broken_off_ends_once(stage: Bench) -> None:
    steps, clock = Steps(), stage.instance.clock
    assert isinstance(clock, ManualClock)
    alpha, beta, _ = builds_of(1)
    stage.upload(alpha)
    stage.upload(beta)
    clock.advance(seconds=1)
    copy = stage.begin(stage.asked(alpha, beta))
    make_faulty_for_threads(stage.instance.database, stage.instance.blobs, steps)
    for persisted in (False, True):
        steps.arm(Fault(len(STEPS) - 2, persisted))
        with pytest.raises(Unavailable):
            stage.instance.copies.carry_out(copy.id)
        steps.disarm()
    assert ends(stage, copy.id) == ["copy.done"]
    assert stage.instance.copies.carry_out(copy.id) is not None
    assert ends(stage, copy.id) == ["copy.done"]
