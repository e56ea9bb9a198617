"""Rule: the threads of a server share two heaps, and neither one of them nor Python keeps the others waiting."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys

import pytest

from channeld.web.process import settle_process, shorten_turns

_COUNT = """
import ctypes, sys, threading
from channeld.web.process import limit_arenas
if sys.argv[1] == "limited":
    assert limit_arenas()
together = threading.Barrier(12)
def work():
    together.wait()
    kept = [bytes(50_000) for _ in range(200)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


def heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _COUNT, how], capture_output=True, text=True, check=True)
    return sum(line.startswith("Arena") for line in done.stderr.splitlines())


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="the C library is not glibc")
def test_they_share_two_heaps() -> None:
    assert heaps("unlimited") > 2
    assert heaps("limited") <= 2


def test_they_give_way_after_a_millisecond() -> None:
    before = sys.getswitchinterval()
    try:
        shorten_turns()
        assert sys.getswitchinterval() == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(before)


def test_what_it_began_with_is_looked_through_no_more() -> None:
    before = gc.get_freeze_count()
    kept: list[list[object]] = [[] for _ in range(1000)]
    settle_process()
    assert gc.get_freeze_count() >= before + len(kept)
