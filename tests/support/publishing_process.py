"""A process that publishes in a loop until it is killed: ``python -m tests.support.publishing_process <folder>``.

It forks a child for each line it reads, a number of steps: the child kills itself at the last of them, just before
(``12``) or just after (``-12``) it took effect; with ``0`` it goes on until somebody else kills it. The child's process
id is written, and once the child is gone another line. So many of them start quickly.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.support.clock import ManualClock
from tests.support.faults import FaultyDisk
from tests.support.indexing import World, package, world_in

T = TypeVar("T")


class Countdown(FaultyDisk):
    """A disk that ends this process at a step; transactions count as steps, too."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = abs(steps)
        self._after = steps < 0

    def _take(self, name: str, effect: Callable[[], T]) -> T:
        self._left -= 1
        if self._left == 0 and not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        made = effect()
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    def count_transactions(self, world: World) -> None:
        write_now = world.database.write_now

        def counted(work: Callable[..., Any]) -> Any:
            return self._take("write catalog", lambda: write_now(work))

        world.database.write_now = counted  # type: ignore[method-assign]


def publish_for_ever(world: World, seed: int) -> None:
    """Upload, change and publish without an end."""
    for number in itertools.count():
        one = package(f"package{(seed * 7 + number) % 25:02d}", f"{seed}.{number}")
        world.upload(one, "main", *(["dev"] if number % 3 == 0 else []))
        if number % 4 == 1:
            world.label(one, "broken")
        world.publish()


def child(folder: Path, seed: int, steps: int) -> None:
    """Work on the folder as one life of a server does."""
    clock = ManualClock(time.time_ns() // 1_000_000 + seed * 60_000)  # the lease of the life before is over
    disk = Countdown(steps)
    with world_in(folder, f"sqlite:///{folder / 'catalog.sqlite'}", clock=clock, disk=disk) as world:
        disk.count_transactions(world)
        publish_for_ever(world, seed)


def tell(line: str) -> None:
    """Write a line to the process that reads ours."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[1])
    for seed, line in enumerate(sys.stdin):
        process = os.fork()
        if process == 0:
            child(folder, seed, int(line))
        tell(str(process))
        os.waitpid(process, 0)
        tell("gone")


if __name__ == "__main__":
    main()
