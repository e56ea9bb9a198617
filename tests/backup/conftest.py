"""Small instances without a server, and what is in their folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from channeld.backup.restore import restore
from channeld.clock import SystemClock
from channeld.instance import Instance, open_instance
from tests.support.server import settings_in
from tests.support.templates import lay_out_catalog


@contextmanager
def opened(folder: Path) -> Iterator[Instance]:
    """An instance that keeps everything in a folder."""
    settings = settings_in(folder)
    lay_out_catalog(settings)
    instance = open_instance(settings, SystemClock())
    try:
        yield instance
    finally:
        instance.close()


def files_below(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bring_back(folder: Path, backup: Path) -> None:
    """Restore into a new instance."""
    with opened(folder) as instance:
        restore(instance, backup)
