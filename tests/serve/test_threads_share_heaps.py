"""Rule: the threads of a server share two heaps, so that what one gives back another can use."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_COUNT = """
import ctypes, sys, threading
from channeld.web.arenas import limit_arenas
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
def test_there_are_two() -> None:
    assert heaps("unlimited") > 2
    assert heaps("limited") <= 2
