"""Time as an argument: who needs it is given a ``Clock``; only an edge makes a ``SystemClock``."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two questions about time that channeld asks."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds. It may step back when an operator sets the machine's time."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; they only grow. For durations and deadlines."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
