"""Publishing in this process, from the catalog's commit to the flip: its steps, timed apart, which tell what grows.

That is writing the frame files (copied inside the kernel), the page table and the shard index.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, Final

from benchmarks.kinds import Kind, Plan
from benchmarks.measure import MIB, Spread, say, written_bytes
from benchmarks.servers import CHANNEL
from benchmarks.synthesis import SUBDIR, Package
from channeld.catalog import files, relabelling
from channeld.catalog.audit import Actor
from channeld.catalog.files import Artifact
from channeld.catalog.labels import BROKEN
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection
from channeld.formats.layout import canonical_json
from channeld.indexing import publisher, work
from channeld.indexing.assembly import Assembly
from channeld.indexing.render import Render
from channeld.indexing.service import POLL_SECONDS
from channeld.instance import Instance

#: What is timed apart: its name here, and where it is done.
STEPS: Final = {
    "reading and editing": (publisher, "render_work"),
    "  of that, shards": (work, "edit_shards"),
    "compressing, pack on disk": (Render, "finish"),
    "frame files": (Assembly, "ensure"),
    "flip": (publisher.Publisher, "_flip"),
}


@dataclass(slots=True)
class Published:
    """What publishing one change of a kind took, several times; seconds and bytes."""

    kind: Kind
    totals: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STEPS})
    pack_bytes: list[float] = field(default_factory=list)
    written_bytes: list[float] = field(default_factory=list)

    def apart_from_frames(self) -> Spread:
        """Return the totals without what the frame files took, in milliseconds."""
        frames = self.steps["frame files"]
        return Spread(tuple(1000 * (total - frame) for total, frame in zip(self.totals, frames, strict=True)))


def measure(channels: Sequence[tuple[Instance, Plan]]) -> list[list[Published]]:
    """Publish one change after the other, of each kind, each in its own time: the index is what it settles to.

    The channels take turns, so that what disturbs one disturbs the others. Returns what was found of each. Everything
    else is published already.
    """
    found: list[list[Published]] = [[] for _ in channels]
    for kind in Kind:
        for (instance, plan), gathered in zip(channels, found, strict=True):
            _CHANGE[kind](instance, plan[kind][0])
            instance.publisher.publish_all()  # what is read for the first time
            gathered.append(Published(kind))
        for turn in zip(*(plan[kind][1:] for _, plan in channels), strict=True):
            for (instance, _), gathered, package in zip(channels, found, turn, strict=True):
                _measure_one(instance, package, gathered[-1])
    return found


def _measure_one(instance: Instance, package: Package, published: Published) -> None:
    _rest(instance)
    _CHANGE[published.kind](instance, package)
    before = written_bytes(os.getpid())
    with _timed(STEPS) as spent, _flips() as flips:
        started = time.perf_counter()
        publications = instance.publisher.publish_all()
    published.totals.append(flips[-1] - started)
    published.pack_bytes.append(sum(one.bytes_written for one in publications))
    published.written_bytes.append(written_bytes(os.getpid()) - before)
    for name in STEPS:
        published.steps[name].append(spent.get(name, 0.0))


def _rest(instance: Instance) -> None:
    """Let some time go by, as a server does with which nothing is going on."""
    rested = time.perf_counter() + publisher.CALM_AFTER
    while time.perf_counter() < rested:
        instance.publisher.ahead.step()
        time.sleep(POLL_SECONDS)


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
    instance.database.write_now(
        partial(
            files.add, channel_name=CHANNEL, artifact=artifact, label_names=["main"], actor=_actor(instance)
        )
    )


def _remove(instance: Instance, package: Package) -> None:
    instance.database.write_now(
        partial(
            files.delete,
            channel_name=CHANNEL,
            subdir=SUBDIR,
            filename=package.filename,
            actor=_actor(instance),
        )
    )


def _relabel(instance: Instance, package: Package) -> None:
    asked = Relabelling((Selection(subdir=SUBDIR, filename=package.filename),), add=(BROKEN,))
    instance.database.write_now(
        lambda connection: relabelling.apply(connection, CHANNEL, asked, _actor(instance), _approve)
    )


def _approve(changes: Sequence[relabelling.Relabelled]) -> None:
    """Let everything pass."""


_CHANGE: Final[dict[Kind, Callable[[Instance, Package], None]]] = {
    Kind.NEW: _add,
    Kind.REMOVED: _remove,
    Kind.RELABELLED: _relabel,
}


def _actor(instance: Instance) -> Actor:
    return Actor("benchmark", "local", instance.clock.now_ms())


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


@contextmanager
def _flips() -> Iterator[list[float]]:
    """Gather when generations went live. What is cleared away after that keeps nobody waiting."""
    gathered: list[float] = []
    flip = publisher.Publisher._flip

    def timed(self: publisher.Publisher, *args: Any) -> None:
        flip(self, *args)
        gathered.append(time.perf_counter())

    publisher.Publisher._flip = timed  # type: ignore[assignment,method-assign]
    try:
        yield gathered
    finally:
        publisher.Publisher._flip = flip  # type: ignore[method-assign]


def report(published: Published, records: int) -> None:
    """Print what was measured."""
    say(f"\n{published.kind.value} in {records:,} records, commit to flip, {len(published.totals)} times:")
    rows = {"in all": published.totals, **published.steps}
    for name, values in rows.items():
        say(f"  {name:28} {Spread(tuple(1000 * value for value in values)).shown('ms', 1)}")
    say(f"  {'apart from the frame files':28} {published.apart_from_frames().shown('ms', 1)}")
    pack = Spread(tuple(value / 1024 for value in published.pack_bytes))
    say(f"  {'written to the pack':28} {pack.shown('KiB')}")
    everything = Spread(tuple(value / MIB for value in published.written_bytes))
    say(f"  {'written in all':28} {everything.shown('MiB', 1)}")
