"""The project as a folder of files, for the tests that read it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def project_files(*patterns: str) -> tuple[Path, ...]:
    """Return the files that git tracks, or would if they were added: nothing that is ignored or deleted.

    ``patterns`` are those of git, such as ``*.py``; without any, all files.
    """
    listed = subprocess.run(
        # A checkout that belongs to somebody else is still the one under test.
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())
