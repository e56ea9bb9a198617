"""A process that publishes in a loop until it is killed: ``python -m tests.support.publishing_process <folder>``.

It forks a child each time it reads a line, and writes the child's process id; so many of them start quickly.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

from tests.support.clock import ManualClock
from tests.support.indexing import World, package, world_in


def publish_for_ever(world: World, seed: int) -> None:
    """Upload, change and publish without an end."""
    for number in itertools.count():
        one = package(f"package{(seed * 7 + number) % 25:02d}", f"{seed}.{number}")
        world.upload(one, "main", *(["dev"] if number % 3 == 0 else []))
        if number % 4 == 1:
            world.label(one, "broken")
        world.publish()


def child(folder: Path, seed: int) -> None:
    """Work on the folder as one life of a server does."""
    clock = ManualClock(time.time_ns() // 1_000_000 + seed * 60_000)  # the lease of the life before is over
    with world_in(folder, f"sqlite:///{folder / 'catalog.sqlite'}", clock=clock) as world:
        publish_for_ever(world, seed)


def main() -> None:
    folder = Path(sys.argv[1])
    for seed, _ in enumerate(sys.stdin):
        process = os.fork()
        if process == 0:
            child(folder, seed)
        print(process, flush=True)  # noqa: T201 - this is how it is told
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
