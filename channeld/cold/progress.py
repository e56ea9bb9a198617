"""Progress on standard error: one line that is rewritten on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol, TextIO

from channeld.clock import Clock

#: Seconds between two lines: of a terminal, and of anything else.
_TERMINAL: Final = 0.1
_ELSEWHERE: Final = 5.0
#: What a file costs whatever its size, in bytes that could be hashed meanwhile.
_FILE_BYTES: Final = 64 * 1024


class Progress(Protocol):
    """Is told how far the work has come."""

    def begin(self, what: str, files: int, size: int) -> None:
        """Say what begins now, and how many files and bytes it is about."""
        ...

    def advance(self, files: int, size: int) -> None:
        """Say how many files and bytes more are done."""
        ...

    def end(self) -> None:
        """Say that it is done, or over."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, what: str, files: int, size: int) -> None:
        return

    def advance(self, files: int, size: int) -> None:
        return

    def end(self) -> None:
        return


@dataclass(slots=True)
class Lines:
    """Writes what was done, the rate and the time that is left."""

    stream: TextIO
    clock: Clock
    _what: str = ""
    _files: int = 0
    _size: int = 0
    _done_files: int = 0
    _done_size: int = 0
    _begun: float = 0.0
    _said: float = 0.0
    _width: int = field(default=0)

    def begin(self, what: str, files: int, size: int) -> None:
        self._what, self._files, self._size = what, files, size
        self._done_files = self._done_size = 0
        self._begun = self._said = self.clock.monotonic()

    def advance(self, files: int, size: int) -> None:
        self._done_files += files
        self._done_size += size
        now = self.clock.monotonic()
        if now - self._said >= (_TERMINAL if self.stream.isatty() else _ELSEWHERE):
            self._said = now
            self._say(now)

    def end(self) -> None:
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self._width = 0
        self.stream.flush()

    def _say(self, now: float) -> None:
        elapsed = now - self._begun
        line = f"{self._what} {self._done_files:,} of {self._files:,} files"
        if elapsed > 0:
            line += f", {self._done_files / elapsed:,.0f}/s, {self._done_size / elapsed / 1e6:,.0f} MB/s"
        done = self._done_size + self._done_files * _FILE_BYTES
        if done > 0:
            whole = self._size + self._files * _FILE_BYTES
            line += f", {duration(elapsed * (whole - done) / done)} left"
        if self.stream.isatty():
            self.stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self.stream.write(line + "\n")
        self.stream.flush()


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
