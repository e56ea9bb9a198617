"""How long to wait after failed attempts. Pure; chance is an argument.

    attempt  2    3     4     5       6       7       8      9 and on
    after    5 s  15 s  45 s  2¼ min  6¾ min  20 min  1 h    2 h

So eighteen attempts take about a day. Each pause is up to a quarter shorter or longer: receivers that failed at the
same time are not all tried again at the same time.
"""

from __future__ import annotations

from typing import Final

_FIRST_SECONDS: Final = 5.0
_FACTOR: Final = 3.0
LONGEST_SECONDS: Final = 7200.0
#: The share of a pause by which chance makes it shorter or longer.
SPREAD: Final = 0.25
_MOST_STEPS: Final = 20


def pause_seconds(failures: int, chance: float, asked_seconds: float = 0.0) -> float:
    """Return the pause after so many failures in a row, from 1 on.

    ``chance`` is from 0 to 1. ``asked_seconds`` is what the receiver asked for (``Retry-After``, RFC 9110, 10.2.3):
    never less than that, up to the longest pause.
    """
    steps = min(max(failures, 1) - 1, _MOST_STEPS)
    pause = min(_FIRST_SECONDS * _FACTOR**steps, LONGEST_SECONDS)
    spread = pause * (1 - SPREAD + 2 * SPREAD * chance)
    return max(spread, min(asked_seconds, LONGEST_SECONDS))
