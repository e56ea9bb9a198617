"""A clock that moves when the test says so."""

from __future__ import annotations


class ManualClock:
    """Stands still at ``now_ms`` until it is moved. Satisfies ``channeld.clock.Clock``."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic_ms / 1000

    def advance(self, *, seconds: float) -> None:
        """Let time pass: both readings grow."""
        if seconds < 0:
            raise ValueError("Time passes forwards; step() is for a wall clock that is set back.")
        milliseconds = round(seconds * 1000)
        self._now_ms += milliseconds
        self._monotonic_ms += milliseconds

    def step(self, *, to_ms: int) -> None:
        """Set the wall clock, as an operator or NTP does: no time passes."""
        self._now_ms = to_ms
