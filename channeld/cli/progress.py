"""A progress bar with rate and remaining time, on a terminal; elsewhere nothing but the lines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

import click

from channeld.pages.human import size

_WINDOW_SECONDS: Final = 5.0
_REDRAW_SECONDS: Final = 0.1
_WIDTH: Final = 24
_CLEAR: Final = "\r\x1b[2K"


class Progress:
    """Counts bytes. ``clock`` gives seconds that only grow."""

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._done = 0
        self._recent: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._drawn = 0.0

    def add(self, count: int) -> None:
        """Count bytes that went out; fewer than none for those that have to go out again."""
        self._done += count
        now = self._clock()
        self._recent.append((now, self._done))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW_SECONDS:
            self._recent.popleft()
        if self._live and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            click.echo(_CLEAR + self.text(), file=self._stream, nl=False)

    def say(self, text: str, *, err: bool = False) -> None:
        """Print a line above the bar."""
        self.clear()
        click.echo(text, err=err)

    def clear(self) -> None:
        """Take the bar off the screen."""
        if self._live:
            click.echo(_CLEAR, file=self._stream, nl=False)

    def text(self) -> str:
        """Draw the bar."""
        share = min(1.0, max(0.0, self._done / self._total)) if self._total else 1.0
        filled = round(share * _WIDTH)
        bar = "#" * filled + "-" * (_WIDTH - filled)
        rate = self._rate()
        left = _clock_text((self._total - self._done) / rate) if rate > 0 else "--:--"
        return f"[{bar}] {share:4.0%}  {size(self._done)} of {size(self._total)}  {size(int(rate))}/s  {left} left"

    def _rate(self) -> float:
        """Return bytes per second of the last seconds."""
        (since, first), (now, last) = self._recent[0], self._recent[-1]
        return max(0.0, (last - first) / (now - since)) if now > since else 0.0


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


class Quiet(Progress):
    """Draws the bar, and keeps the lines to itself: standard output belongs to a program."""

    def say(self, text: str, *, err: bool = False) -> None:
        if err:
            super().say(text, err=True)
