"""Rule: after a kill at any moment, everything that is published is whole, and what was not published is dirty."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pytest

from tests.support.clock import ManualClock
from tests.support.indexing import World
from tests.support.project import ROOT

#: More than one publication takes, of which the first after a start takes the most.
STEPS = 34
#: Steps into what a life has done before.
LATE_STEPS = (60, 151)
MOMENTS = 5


@dataclass(frozen=True, slots=True)
class Lives:
    """Has processes publish, and end."""

    say: IO[str]
    hear: IO[str]

    def begin(self, steps: int) -> int:
        """Start a process that kills itself at a step, or with 0 does not; returns its id."""
        self.say.write(f"{steps}\n")
        self.say.flush()
        return int(self.hear.readline())

    def wait(self) -> None:
        assert self.hear.readline() == "gone\n"


@contextmanager
def forking(world: World) -> Iterator[Lives]:
    command = [sys.executable, "-m", "tests.support.publishing_process", str(world.folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Lives(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(timeout=30)


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    world = new_world(clock=ManualClock(time.time_ns() // 1_000_000))
    world.make_channel()
    return world


def generations(world: World) -> int:
    """Count what has been published; all of it is whole as it was left, before anybody repairs anything."""
    world.check()
    return sum(world.seen(key.subdir, key.label).number for key in world.views())


def check_that_it_goes_on(world: World) -> None:
    world.clock.advance(seconds=86_400)
    world.publish()
    assert not world.is_dirty()
    world.check()
    world.sweeper.sweep()
    assert world.temporary_files() == []
    world.check()


@pytest.mark.parametrize("sign", [1, -1], ids=["before", "after"])
def test_whatever_step_it_is_killed_at(world: World, sign: int) -> None:
    published = []
    with forking(world) as lives:
        for step in (*range(1, STEPS, 3), *LATE_STEPS):
            lives.begin(sign * step)
            lives.wait()
            published.append(generations(world))
    assert published == sorted(published)
    assert published[0] == 0
    assert published[-1] > len(LATE_STEPS)
    check_that_it_goes_on(world)


def test_whatever_moment_it_is_killed_at(world: World) -> None:
    chance = random.Random(7)
    with forking(world) as lives:
        lives.begin(LATE_STEPS[0])
        lives.wait()
        published = [generations(world)]
        for _ in range(MOMENTS):
            process = lives.begin(0)
            time.sleep(chance.uniform(0.02, 0.4))
            os.kill(process, signal.SIGKILL)
            lives.wait()
            published.append(generations(world))
    assert published == sorted(published)
    assert published[0] > 0
    check_that_it_goes_on(world)
