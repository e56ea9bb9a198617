"""Real packages as channel folders, and what conda-index and rattler-index make of them.

A folder of the test data that has packages in known subdirs is a channel as it is. All other packages, of which there
are several with one name, are put into channels ``loose-0``, ``loose-1``, … by the subdir that they name.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rattler.index import index_fs

from channeld.errors import Rejected
from channeld.formats.archive.inspection import inspect_archive
from channeld.formats.names import KNOWN_SUBDIRS, FileName, Naming
from channeld.formats.record_fields import subdir as subdir_of
from tests.support.project import ROOT

_STANDIN = Path(__file__).parent / "conda_standin"
_SCRIPT = """
import sys
from conda_index.cli import cli
for folder in sys.argv[1:]:
    cli([folder, "--run-exports", "--channeldata", "--write-shards", "--threads", "1"])
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A package file of the test data, and where it goes."""

    path: Path
    channel: str
    subdir: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """The packages of the test data: those that are channels, and those that are refused, by the rule."""

    good: list[Package]
    refused: dict[Path, str]


def sort_packages(test_data: Path) -> Sorted:
    """Look at every package of the test data."""
    good, refused = [], {}
    loose: dict[tuple[str, str], list[str]] = {}
    for path in sorted(_packages(test_data)):
        try:
            subdir = _subdir(path)
        except Rejected as error:
            refused[path] = error.code
            continue
        if path.parent.name in KNOWN_SUBDIRS:
            channel = str(path.parent.parent.relative_to(test_data)).replace("/", "-")
            good.append(Package(path, channel, path.parent.name))
        elif subdir in KNOWN_SUBDIRS:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            known = loose.setdefault((subdir, path.name), [])
            if digest not in known:
                known.append(digest)
                good.append(Package(path, f"loose-{known.index(digest)}", subdir))
    return Sorted(good, refused)


def _packages(test_data: Path) -> Iterator[Path]:
    for folder in ("fixtures", "conformance/conda-index"):
        for path in (test_data / folder).rglob("*"):
            if path.name.endswith((".conda", ".tar.bz2")) and path.is_file():
                yield path


def _subdir(path: Path) -> str:
    with path.open("rb") as file:
        index = inspect_archive(file, FileName.parse(path.name, Naming.LEGACY), Naming.LEGACY).index
    return subdir_of(index, Naming.LEGACY)


def lay_out(packages: list[Package], folder: Path) -> list[Path]:
    """Copy packages into channel folders below a folder; returns the channels."""
    for package in packages:
        target = folder / package.channel / package.subdir / package.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.path, target)
    return sorted(folder.iterdir())


def index_with_conda_index(channels: list[Path]) -> None:
    """Run conda-index over channel folders, in a process of its own, with the stand-in for conda."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(str, channels)],
        check=False,
        env={**os.environ, "PYTHONPATH": f"{_STANDIN}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def index_with_rattler(channels: list[Path]) -> None:
    """Run rattler-index over channel folders; without repodata.json.zst, which takes it most of its time."""

    async def index() -> None:
        for channel in channels:
            await index_fs(channel, write_zst=False)

    asyncio.run(index())
