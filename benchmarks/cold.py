"""How long does a folder of packages take to be indexed, from the start of the program to the last file written?

Side by side on the same packages, each run in a process of its own on a folder that nobody has indexed before:

- channeld: ``channeld index``, with every document that it writes
- rattler-index: ``rattler.index.index_fs``, as py-rattler has it; repodata.json, .zst and shards
- conda-index: ``--zst --threads 2``; repodata.json and .zst
- the libraries: what calls of C libraries alone take to make such files, without any judgement (``coldbound``)
- the floor: reads the same files and computes their sha256 and md5, on every core, and nothing else

The packages are in the page cache for all of them, and on the disk. All programs have their bytecode, as pip installs
it. Rounds take turns, so that what disturbs one disturbs the others. Without --small it begins once making a file costs
what it usually does: for minutes after many were deleted, by a benchmark before, say, ext4 takes ten times as long.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import channeld
from benchmarks.measure import MIB, Finished, Spread, machine, parser, positive, repeated, run, say
from benchmarks.packagefolder import PACKAGE_SIZE, make_folder, package, records

ROUNDS: Final = 3
#: What making a file may take; how long is waited if it takes more, and how often.
_QUICK_SECONDS: Final = 120e-6
_WAIT_SECONDS: Final = 30
_WAITS: Final = 12
_STANDIN: Final = Path(__file__).resolve().parents[1] / "tests" / "support" / "conda_standin"
#: It ends without ending Python first: now and then a thread of its own would meet an interpreter that is gone.
_RATTLER: Final = (
    "import asyncio, os, pathlib, sys, rattler.index as r; "
    "asyncio.run(r.index_fs(pathlib.Path(sys.argv[1]))); os._exit(0)"
)


@dataclass(slots=True)
class Contender:
    """A program that is given a folder of packages."""

    name: str
    command: Sequence[str]
    #: Runs at most so often: conda-index takes minutes.
    rounds: int = ROUNDS
    runs: list[Finished] = field(default_factory=list)

    def run(self, folder: Path) -> Finished:
        os.sync()  # what others left to be written is not for this one to wait for
        with _environment():
            finished = run([*self.command, str(folder)])
        if finished.status:
            sys.exit(f"{self.name} ended with status {finished.status}.")
        self.runs.append(finished)
        return finished

    @property
    def median(self) -> float:
        return Spread(tuple(one.seconds for one in self.runs)).median

    def line(self, count: int) -> str:
        taken = Spread(tuple(one.seconds for one in self.runs))
        cpu = Spread(tuple(one.cpu_seconds for one in self.runs)).median
        peak = max(one.peak_bytes for one in self.runs)
        return (
            f"{self.name:14} {count / self.median:7,.0f}/s   {taken.shown('s', 2)}   "
            f"{cpu:.1f} s of CPU, {peak / MIB:.0f} MiB in the largest process"
        )


def contenders(*, small: bool) -> list[Contender]:
    """List who takes part."""
    python = sys.executable
    return [
        Contender("channeld", [python, "-m", "channeld", "index", "--quiet"]),
        Contender("rattler-index", [python, "-c", _RATTLER]),
        Contender("conda-index", [python, "-m", "conda_index", "--zst", "--threads", "2"], 3 if small else 1),
        Contender("the libraries", [python, "-m", "benchmarks.coldbound"]),
        Contender("the floor", [python, "-m", "benchmarks.cold", "--floor"]),
    ]


@contextmanager
def _environment():  # type: ignore[no-untyped-def]
    """Let conda-index find what stands in for conda, and keep its log to itself."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_STANDIN), str(_STANDIN.parents[2])])
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def main() -> None:
    """Measure; the last line has the ratios."""
    arguments = parser(__doc__)
    arguments.add_argument("--floor", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--packages", type=positive, help="how many; 10,000 by default")
    names = [one.name for one in contenders(small=True)[1:]]
    arguments.add_argument("--without", action="append", default=[], choices=names, help="leave somebody out")
    options = arguments.parse_args()
    if options.floor:
        floor(options.floor)
        return
    say(machine())
    compileall.compile_dir(Path(channeld.__file__).parent, quiet=1)  # a checkout may have none
    count = options.packages or (1_000 if options.small else 10_000)
    with tempfile.TemporaryDirectory(prefix="channeld-bench-") as temporary:
        folder = Path(temporary)
        if not options.small:
            _wait_for_quick_files(folder)
        size = make_folder(folder / "packages", count)
        say(f"{count:,} packages of about {PACKAGE_SIZE:,} bytes, {size / MIB:,.0f} MiB together")
        taking_part = [one for one in contenders(small=options.small) if one.name not in options.without]
        for number in range(ROUNDS):
            for one in taking_part:
                if number < one.rounds:
                    one.run(_copy(folder / "packages", folder / f"{one.name}-{number}"))
        for one in taking_part:
            say(one.line(count))
        _again(folder / f"channeld-{ROUNDS - 1}", count)
        say(headline(taking_part, count))


def _wait_for_quick_files(folder: Path) -> None:
    """Wait, for some minutes at most, until making a file is quick: some make thousands.

    ext4 passes over inodes that were freed less than five minutes ago, one by one, each time it looks for one.
    """
    for number in range(_WAITS):
        probes = folder / f"probes-{number}"
        probes.mkdir()
        taken = repeated(lambda probes=probes: _make_file(probes), 200).median  # type: ignore[misc]
        if taken < _QUICK_SECONDS:
            return
        if number == 0:
            minutes = _WAITS * _WAIT_SECONDS // 60
            say(
                f"Making a file takes {1e6 * taken:.0f} µs, as it does after many were deleted. "
                f"Waiting until that is over, for {minutes} minutes at most …"
            )
        time.sleep(_WAIT_SECONDS)
    say("It is not over: whoever makes many files is measured with that.")


def _make_file(folder: Path) -> None:
    (folder / secrets.token_hex(32)).write_bytes(b"x")


def _copy(packages: Path, target: Path) -> Path:
    """Make a folder of links to the same files: their bytes stay in the page cache."""
    for subdir in packages.iterdir():
        (target / subdir.name).mkdir(parents=True)
        for path in subdir.iterdir():
            (target / subdir.name / path.name).hardlink_to(path)
    return target


def _again(folder: Path, count: int) -> None:
    """Run channeld over a folder that it has indexed: as it is, and with one package more."""
    unchanged = contenders(small=True)[0].run(folder)
    record = next(islice(records(), count, None))
    (folder / record["subdir"]).mkdir(exist_ok=True)
    name = f"{record['name']}-{record['version']}-{record['build']}.conda"
    (folder / record["subdir"] / name).write_bytes(package(record))
    one_more = contenders(small=True)[0].run(folder)
    say(
        f"channeld again: {unchanged.seconds:.2f} s unchanged, {one_more.seconds:.2f} s with one package more"
    )


def headline(taking_part: Sequence[Contender], count: int) -> str:
    """Sum up, by the medians."""
    ours, *others = taking_part
    ratios = [
        f"{ours.median / one.median:.1f} times the time of {one.name}"
        if one.name.startswith("the ")
        else f"{one.median / ours.median:.1f} times {one.name}"
        for one in others
    ]
    return f"{count / ours.median:,.0f} packages a second: {', '.join(ratios)}"


def floor(folder: Path) -> None:
    """Read and hash every package of a folder, on every core."""
    paths = [(str(path), path.stat().st_size) for path in folder.rglob("*.conda")]
    parts = [paths[start : start + 64] for start in range(0, len(paths), 64)]
    with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        pool.map(_hash, parts, chunksize=1)


def _hash(paths: Sequence[tuple[str, int]]) -> None:
    for path, size in paths:
        descriptor = os.open(path, os.O_RDONLY)
        data = os.read(descriptor, size)
        os.close(descriptor)
        hashlib.sha256(data).digest()
        hashlib.md5(data, usedforsecurity=False).digest()


if __name__ == "__main__":
    main()
