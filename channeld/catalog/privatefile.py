"""Files that have keys in them: the catalog, and what a backup holds of it."""

from __future__ import annotations

import os


def create_private(path: str | os.PathLike[str]) -> int:
    """Create a file that its owner alone can read, and return a descriptor to write it; raises ``FileExistsError``."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
