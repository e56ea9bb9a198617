"""What does one more package cost, by the size of the subdir it comes to? From the catalog's commit to the flip.

A package is added to the catalog and published, again and again; the steps of each publication are timed apart. The
same in a subdir of a tenth of the size shows what grows: writing the frame file (copied inside the kernel), the page
table and the shard index. rattler-index takes 228 s and 3.6 GB for one more package beside 500,000.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import MIB, Spread, forget_peak, machine, parser, peak_bytes, say, seconds
from benchmarks.synthesis import SUBDIR, Package, data_folder, fill_apart, packages_apart
from channeld.catalog import files
from channeld.catalog.audit import Actor
from channeld.catalog.files import Artifact
from channeld.clock import SystemClock
from channeld.formats.layout import canonical_json
from channeld.indexing import publisher, work
from channeld.indexing.assembly import Assembly
from channeld.indexing.render import Render
from channeld.instance import Instance, open_instance
from channeld.settings import Settings
from channeld.settings.sections import Storage

CHANNEL: Final = "bench"
ROUNDS: Final = 20

#: What is timed apart: its name here, and where it is done.
STEPS: Final = {
    "reading and editing": (publisher, "render_work"),
    "  of that, shards": (work, "_edit_shards"),
    "compressing, pack on disk": (Render, "finish"),
    "frame files": (Assembly, "ensure"),
    "flip": (publisher.Publisher, "_flip"),
}


@dataclass(slots=True)
class Measured:
    """What publishing one package took, several times."""

    records: int
    totals: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STEPS})
    bytes_written: list[float] = field(default_factory=list)
    peak: int = 0

    def apart_from_frames(self) -> Spread:
        """Return the totals without what the frame files took, in milliseconds."""
        frames = self.steps["frame files"]
        return Spread(tuple(1000 * (total - frame) for total, frame in zip(self.totals, frames, strict=True)))


def main() -> None:
    """Measure at both sizes; the last line has the milliseconds and the ratio."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=int, help="of the larger subdir; 500,000 by default")
    options = arguments.parse_args()
    data_folder()
    say(machine())
    large = options.records or (50_000 if options.small else 500_000)
    small, more = (measure(count) for count in (large // 10, large))
    for measured in (small, more):
        report(measured)
    a, b = small.apart_from_frames().median, more.apart_from_frames().median
    total = Spread(tuple(1000 * value for value in more.totals))
    say(
        f"one more package beside {more.records:,} records: median {total.median:.0f} ms, "
        f"{b:.0f} ms without the frame files, {b / a:.2f} times that beside {small.records:,}; "
        f"peak RSS {more.peak / MIB:.0f} MiB"
    )


def measure(count: int) -> Measured:
    """Fill a channel, publish it, and then one package after the other."""
    measured = Measured(count)
    with tempfile.TemporaryDirectory(prefix="channeld-bench-") as folder:
        fill_apart(Path(folder), CHANNEL, count)
        instance = open_instance(Settings(storage=Storage(data_dir=Path(folder))), SystemClock())
        try:
            took, _ = seconds(instance.publisher.publish_all)
            say(f"{count:,} records are published, in {took:.1f} s")
            new = packages_apart(ROUNDS + 2, first=count + 10_000)
            for package in new[:2]:
                _publish(instance, package)  # what is read for the first time
            forget_peak(os.getpid())
            for package in new[2:]:
                _measure_one(instance, package, measured)
            measured.peak = peak_bytes(os.getpid())
        finally:
            instance.close()
    return measured


def _measure_one(instance: Instance, package: Package, measured: Measured) -> None:
    _add(instance, package)
    with _timed(STEPS) as spent:
        took, publications = seconds(instance.publisher.publish_all)
    measured.totals.append(took)
    measured.bytes_written.append(publications[0].bytes_written)
    for name in STEPS:
        measured.steps[name].append(spent.get(name, 0.0))


def _publish(instance: Instance, package: Package) -> None:
    _add(instance, package)
    instance.publisher.publish_all()


def _add(instance: Instance, package: Package) -> None:
    record = package.record
    fields = ("sha256", "md5", "name", "version", "build", "build_number")
    artifact = Artifact(
        **{name: record[name] for name in fields},
        size=1000,
        filename=package.filename,
        subdir=SUBDIR,
        timestamp_ms=record.get("timestamp") or 0,
        section=package.section,
        record=canonical_json(record),
        run_exports=canonical_json(package.run_exports),
    )
    actor = Actor("benchmark", "local", instance.clock.now_ms())
    instance.database.write_now(
        partial(files.add, channel_name=CHANNEL, artifact=artifact, label_names=["main"], actor=actor)
    )


@contextmanager
def _timed(steps: dict[str, tuple[Any, str]]) -> Iterator[dict[str, float]]:
    """Add up the seconds that each of some functions takes."""
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - started

        return run

    before = {name: getattr(owner, attribute) for name, (owner, attribute) in steps.items()}
    for name, (owner, attribute) in steps.items():
        setattr(owner, attribute, timed(name, before[name]))
    try:
        yield spent
    finally:
        for name, (owner, attribute) in steps.items():
            setattr(owner, attribute, before[name])


def report(measured: Measured) -> None:
    """Print what was measured at one size."""
    say(f"\none more package beside {measured.records:,} records, {len(measured.totals)} times:")
    rows = {"in all": measured.totals, **measured.steps}
    for name, values in rows.items():
        say(f"  {name:28} {Spread(tuple(1000 * value for value in values)).shown('ms')}")
    say(f"  {'apart from the frame files':28} {measured.apart_from_frames().shown('ms')}")
    written = Spread(tuple(value / 1024 for value in measured.bytes_written))
    say(f"  {'written to the pack':28} {written.shown('KiB')}")
    say(f"  {'peak RSS':28} {measured.peak / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
