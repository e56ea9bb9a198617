"""The clocks: the machine's, and the one of the tests, which moves only when it is told to."""

from __future__ import annotations

import time

import pytest

from channeld.clock import Clock, SystemClock
from tests.support.clock import ManualClock


def test_the_clock_of_the_machine_tells_unix_time_in_milliseconds() -> None:
    clock: Clock = SystemClock()
    before = time.time()
    told = clock.now_ms() / 1000
    assert before - 0.002 <= told <= time.time()
    assert clock.monotonic() <= clock.monotonic()


def test_the_manual_clock_stands_still() -> None:
    clock: Clock = ManualClock(5)
    assert (clock.now_ms(), clock.monotonic(), clock.now_ms()) == (5, 0.0, 5)


def test_when_time_passes_both_readings_grow() -> None:
    clock = ManualClock(1000)
    clock.advance(seconds=1.5)
    assert (clock.now_ms(), clock.monotonic()) == (2500, 1.5)


def test_when_the_wall_clock_is_set_back_no_time_passes() -> None:
    clock = ManualClock(1000)
    clock.step(to_ms=10)
    assert (clock.now_ms(), clock.monotonic()) == (10, 0.0)


def test_time_does_not_run_backwards() -> None:
    clock = ManualClock(1000)
    with pytest.raises(ValueError, match="Time passes forwards"):
        clock.advance(seconds=-1)
    assert (clock.now_ms(), clock.monotonic()) == (1000, 0.0)
