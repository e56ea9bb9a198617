"""rattler-index as a peer: an index of records is laid out for it, and it is run in a process of its own.

    python -m benchmarks.rattlerindex FOLDER

It knows the files of a folder from the ``repodata.json`` that lies there, and reads nothing of them but their names: so
they may be empty. What is new it opens. It takes minutes and gigabytes for 500,000 records, most of it for compressing
the document in one piece at level 19. It writes no shards here: with 13,000 of them it runs out of open files.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks import results
from benchmarks.measure import MIB, peak_bytes, say
from benchmarks.packagefolder import package as archive
from benchmarks.results import Subject
from benchmarks.synthesis import SUBDIR, data_folder, newer, packages, scattered

VERSIONS: Final = {"py-rattler": version("py-rattler")}
#: Records up to which it runs without being asked to, in about ten seconds.
QUICK: Final = 50_000
_KEPT_IN: Final = "publish"

#: Section → (file name, record) in order.
Sections = Mapping[str, Sequence[tuple[str, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a run came to."""

    #: From the call to its return, without the start of Python.
    seconds: float
    #: The most memory that its process had resident.
    peak_bytes: int

    def figures(self) -> dict[str, float]:
        """Return them as results are kept."""
        return {"peak_bytes": self.peak_bytes, "seconds": round(self.seconds, 1)}


def lay_out(folder: Path, sections: Sections) -> None:
    """Make a channel of a folder: the files by name, and a repodata.json that knows them; there is no .zst yet."""
    subdir = folder / SUBDIR
    subdir.mkdir(parents=True)
    document: dict[str, Any] = {"info": {"subdir": SUBDIR}, "repodata_version": 1}
    for section, found in sections.items():
        document[section] = dict(found)
        for filename, _ in found:
            os.mknod(subdir / filename)
    (subdir / "repodata.json").write_bytes(orjson.dumps(document))


def index(folder: Path) -> Indexed:
    """Have it index a folder; stops the benchmark when it fails."""
    command = [sys.executable, "-m", "benchmarks.rattlerindex", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"rattler-index ended with status {done.returncode}.")
    return Indexed(*orjson.loads(done.stdout.splitlines()[-1]))


def one_more(count: int, *, ask: bool) -> Indexed | None:
    """Have it add one package to an index of so many, or return what is kept of such a run; None when nothing is.

    Of few records it runs whether it is asked to or not.
    """
    subject = Subject(
        what="rattler-index without shards, one more package beside the records of a repodata.json",
        records=count,
        versions=VERSIONS,
    )
    if not ask and count > QUICK:
        kept = results.find(_KEPT_IN, subject)
        if kept is None:
            say("\nrattler-index: not run, and nothing kept; --rattler runs it, for minutes and in gigabytes")
            return None
        found = Indexed(kept.figures["seconds"], round(kept.figures["peak_bytes"]))
        _show(count, found, kept.told())
        return found
    with tempfile.TemporaryDirectory(prefix="channeld-publish-") as name:
        folder = Path(name)
        new = next(scattered(data_folder(), count, 1))
        lay_out(folder, _sections(count))
        one_more = newer(new, 1)
        (folder / one_more.record["subdir"] / one_more.filename).write_bytes(archive(one_more.record))
        found = index(folder)
    if count > QUICK:
        results.keep(_KEPT_IN, subject, found.figures())
    _show(count, found, "run once just now")
    return found


def _sections(count: int) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    sections: dict[str, list[tuple[str, dict[str, Any]]]] = {"packages": [], "packages.conda": []}
    gc.disable()  # it would look for cycles among millions of objects, again and again; there are none
    for one in packages(data_folder(), count):
        sections[one.section].append((one.filename, one.record))
    gc.enable()
    return sections


def _show(count: int, found: Indexed, origin: str) -> None:
    say(f"\nrattler-index without shards, one more package in {count:,} records, {origin}:")
    say(f"  {found.seconds:.1f} s, peak RSS {found.peak_bytes / MIB:,.0f} MiB")


def main() -> None:
    """Index a folder; prints the seconds that it took and the most memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    options = arguments.parse_args()
    import rattler
    import rattler.index

    async def run() -> float:
        started = time.perf_counter()
        await rattler.index.index_fs(
            options.folder,
            target_platform=rattler.Platform(SUBDIR),
            write_zst=True,
            write_shards=False,
        )
        took = time.perf_counter() - started
        await asyncio.sleep(0.3)  # its threads would otherwise meet an interpreter that is gone
        return took

    sys.stdout.buffer.write(orjson.dumps([asyncio.run(run()), peak_bytes(os.getpid())]) + b"\n")


if __name__ == "__main__":
    main()
