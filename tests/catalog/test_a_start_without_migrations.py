"""Alembic is loaded to change tables, and by nothing else: it takes a quarter of a start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_OPEN = """
import sys
from pathlib import Path
from channeld.clock import SystemClock
from channeld.instance import open_instance
from channeld.settings import Settings
from channeld.settings.sections import Storage

open_instance(Settings(storage=Storage(data_dir=Path(sys.argv[1]))), SystemClock()).close()
print("alembic" in sys.modules)
"""


def loads_alembic(folder: Path) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip() == "True"


def test_only_the_first_start_loads_it(tmp_path: Path) -> None:
    assert [loads_alembic(tmp_path), loads_alembic(tmp_path)] == [True, False]
