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
from typing import IO

from tests.support.clock import ManualClock
from tests.support.indexing import World
from tests.support.project import ROOT

ROUNDS = 20


@contextmanager
def forking(world: World) -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, "-m", "tests.support.publishing_process", str(world.folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def test_whatever_moment_it_is_killed_at(new_world: Callable[..., World]) -> None:
    world = new_world(clock=ManualClock(time.time_ns() // 1_000_000))
    world.make_channel()
    chance = random.Random(7)
    published = []
    with forking(world) as (say, hear):
        for _ in range(ROUNDS):
            say.write("go\n")
            say.flush()
            process = int(hear.readline())
            time.sleep(chance.uniform(0.02, 0.4))
            os.kill(process, signal.SIGKILL)
            for key in world.views():  # whole as it was left, before anybody repairs anything
                assert world.checker.check(key).findings == ()
                world.seen(key.subdir, key.label)
            published.append(sum(world.seen(key.subdir, key.label).number for key in world.views()))
    assert published == sorted(published)
    assert published[-1] > 0
    world.clock.advance(seconds=86_400)
    world.publish()
    assert not world.is_dirty()
    world.check()
    world.sweeper.sweep()
    assert world.temporary_files() == []
    world.check()
