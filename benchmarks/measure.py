"""What the benchmarks share: the clock, the memory of other processes, and how a figure is written."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeVar

T = TypeVar("T")

MIB: Final = 1024 * 1024
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing, in one unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def percentile(self, percent: float) -> float:
        """Return the value that so many percent of the measurements do not exceed."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def shown(self, unit: str, digits: int = 0) -> str:
        """Write least, median and greatest."""
        numbers = (min(self.values), self.median, max(self.values))
        return "min {} / median {} / max {} {}".format(*(f"{x:,.{digits}f}" for x in numbers), unit)


def seconds(work: Callable[[], T]) -> tuple[float, T]:
    """Run something once; returns how long it took, and what it returned."""
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


def repeated(work: Callable[[], object], rounds: int) -> Spread:
    """Run something several times; returns the seconds of each."""
    return Spread(tuple(seconds(work)[0] for _ in range(rounds)))


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end."""

    seconds: float
    cpu_seconds: float
    #: The most memory that it had resident, bytes.
    peak_bytes: int
    status: int


def run(command: Sequence[str]) -> Finished:
    """Run a program to its end, its output on ours."""
    sys.stdout.flush()
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], list(command), os.environ)
    _, status, usage = os.wait4(child, 0)
    return Finished(
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        os.waitstatus_to_exitcode(status),
    )


def cpu_seconds(process: int) -> float:
    """Return the processor time that a running process has used, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def stolen_seconds() -> float:
    """Return the processor time that this machine wanted and others on its host got."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / _TICKS


def resident_bytes(process: int) -> int:
    """Return the memory that a running process has resident now."""
    return _status(process, "VmRSS")


def peak_bytes(process: int) -> int:
    """Return the most memory that a running process has had resident since ``forget_peak``, or ever."""
    return _status(process, "VmHWM")


def forget_peak(process: int) -> None:
    """Begin to watch the memory of a running process anew."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


class Helped:
    """Watches the processes that this one starts; a context manager."""

    def __init__(self) -> None:
        #: The most memory that each of them had resident, as far as was seen; looked at twenty times a second.
        self.peaks: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for process in _children():
                with suppress(OSError):  # it has ended
                    self.peaks[process] = peak_bytes(process)


def _children() -> list[int]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended
            found += [int(child) for child in task.read_text().split()]
    return found


def written_bytes(process: int) -> int:
    """Return how much a running process has had written to disk, whoever will write it: files, logs, databases."""
    for line in Path(f"/proc/{process}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def _status(process: int, field: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"The process {process} has ended.")


def computer() -> str:
    """Describe what this runs on, as far as it does not change from run to run."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{model}, {os.cpu_count()} cores, {memory / 2**30:.0f} GiB, Linux {platform.release()}"


def interpreter() -> str:
    """Name the Python that this runs on."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def machine() -> str:
    """Describe what this runs on, in one line."""
    return f"{computer()}, {interpreter()}, load {os.getloadavg()[0]:.1f} at the start"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments of a benchmark: ``--small`` for a run of less than a minute."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--small", action="store_true", help="a run of less than a minute")
    return made


def positive(text: str) -> int:
    """Read a number of an argument; raises ``ArgumentTypeError`` for less than one."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)
