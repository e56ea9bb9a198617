"""A page depends on its values alone: not on the process, the order of a set, the clock or the language."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

from tests.support.pages import EVERY_KIND
from tests.support.project import ROOT

PROGRAM = """
import hashlib
from tests.support.pages import EVERY_KIND
print(*(hashlib.sha256(make()).hexdigest() for make in EVERY_KIND.values()))
"""


def digests() -> list[str]:
    return [hashlib.sha256(make()).hexdigest() for make in EVERY_KIND.values()]


def digests_elsewhere(**environment: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout.split()


def test_twice_in_one_process() -> None:
    assert digests() == digests()


def test_in_another_process_under_another_sky() -> None:
    assert digests_elsewhere(PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C") == digests()


def test_importing_the_pages_compiles_no_template() -> None:
    program = (
        "import sys; import channeld.pages.rendering as r; from channeld.pages.environment import environment as e;"
        "assert e.cache_info().currsize == 0; r.not_found_page('/'); assert e.cache_info().currsize == 1"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
