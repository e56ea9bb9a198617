"""What does one change cost, by the size of the subdir that it comes to? One new package, one removed, one relabelled.

In this process first, from the catalog's commit to the flip, with the steps of a publication timed apart: by turns in
the subdir and in one of a tenth of the size, in packages that have about as many files in both. Then over HTTP, on a
server that runs, one subdir after the other: from the answer until a client sees the new generation. At last 20 uploads
a second, for a minute, in the larger one.

The peer is rattler-index, which for one more package writes the whole index again, out of the repodata.json that is
there. Of 500,000 records it makes minutes and gigabytes: ``--rattler`` runs it and keeps what it took in
``results/publish.json``, for runs without the switch.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import onebyone, publishing, rattlerindex, sustained
from benchmarks.kinds import Kind, of_different_names, of_usual_packages, plan
from benchmarks.measure import MIB, machine, parser, positive, say, seconds
from benchmarks.onebyone import Watched
from benchmarks.publishing import Published
from benchmarks.rattlerindex import Indexed
from benchmarks.servers import CHANNEL, channeld, make_token, open_folder, wait_until_idle
from benchmarks.sustained import RATE, Sustained
from benchmarks.synthesis import Package, data_folder, fill_apart, scattered_apart

#: Changes of each kind.
ROUNDS: Final = 20
_LARGE: Final = 500_000
_SECONDS: Final = 60
#: Files that are drawn for one that is changed, since not every one is of a usual package.
_CHOICE: Final = 8


@dataclass(frozen=True, slots=True)
class Filled:
    """A channel that is published, and what it is changed with."""

    folder: Path
    records: int
    token: str
    #: What is changed one at a time, each once.
    changes: Iterator[Package]
    #: Of what newer versions are uploaded.
    uploads: Sequence[Package]


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured in a subdir of one size."""

    records: int
    inside: list[Published]
    outside: list[Watched]
    sustained: Sustained | None

    @property
    def peak(self) -> int:
        """The most memory that a server had, bytes."""
        peaks = [one.peak for one in self.outside]
        return max([*peaks, self.sustained.peak] if self.sustained else peaks)


def main() -> None:
    """Measure at both sizes; the last line has the milliseconds and the ratios."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=positive, help=f"of the larger subdir; {_LARGE:,} by default")
    arguments.add_argument("--rattler", action="store_true", help="run rattler-index however long it takes")
    options = arguments.parse_args()
    data_folder()
    say(machine())
    large = options.records or (10_000 if options.small else _LARGE)
    rounds, length = (2, 3) if options.small else (ROUNDS, _SECONDS)
    with tempfile.TemporaryDirectory(prefix="channeld-publish-") as name:
        filled = [
            fill(Path(name, "small"), large // 10, 6 * (rounds + 1), 0),
            fill(Path(name, "large"), large, 6 * (rounds + 1), 4 * RATE * length),
        ]
        inside = publish(filled, rounds)
        for one, published in zip(filled, inside, strict=True):
            for each in published:
                publishing.report(each, one.records)
        smaller = Measured(filled[0].records, inside[0], *serve(filled[0], rounds, 0))
        larger = Measured(filled[1].records, inside[1], *serve(filled[1], rounds, length))
    rattler = rattlerindex.one_more(large, ask=options.rattler)
    say(headline(smaller, larger, rattler))


def fill(folder: Path, count: int, changes: int, uploads: int) -> Filled:
    """Fill a channel with ``count`` records and publish it; draw so many files to be changed, and to be followed up."""
    folder.mkdir()
    took, _ = seconds(lambda: fill_apart(folder, CHANNEL, count))
    say(f"\n{count:,} records were put into the catalog in {took:.1f} s")
    drawn = scattered_apart(count, _CHOICE * changes + uploads)
    choice = drawn[: _CHOICE * changes]
    if len(choice) < changes:
        sys.exit(f"{count:,} records have no {changes} packages to be changed. Name more with --records.")
    with closing(open_folder(folder)) as instance:
        took, _ = seconds(instance.publisher.publish_all)
        say(f"and published in {took:.1f} s")
        usual = instance.database.read_now(lambda connection: of_usual_packages(connection, choice))
        return Filled(folder, count, make_token(instance), usual, drawn[len(choice) :])


def publish(filled: Sequence[Filled], rounds: int) -> list[list[Published]]:
    """Change the channels by turns, in here."""
    with ExitStack() as stack:
        return publishing.measure([
            (stack.enter_context(closing(open_folder(one.folder))), plan(one.changes, rounds))
            for one in filled
        ])  # fmt: skip


def serve(filled: Filled, rounds: int, length: int) -> tuple[list[Watched], Sustained | None]:
    """Change a channel over HTTP, and upload for some seconds."""
    with channeld(filled.folder) as server:
        wait_until_idle(server)
        outside = onebyone.measure(server, filled.token, plan(filled.changes, rounds))
        for each in outside:
            onebyone.report(each, filled.records)
        if not length:
            return outside, None
        uploads = of_different_names(filled.uploads, RATE * length)
        wait_until_idle(server)
        steady = sustained.measure(server, filled.token, uploads)
        sustained.report(steady, filled.records)
        return outside, steady


def headline(smaller: Measured, larger: Measured, rattler: Indexed | None) -> str:
    """Sum up: medians, and the ratios of the sizes and to the peer."""
    new = next(one for one in larger.outside if one.kind is Kind.NEW).accepted_to_live.median
    parts = [f"{one.kind.value} {one.accepted_to_live.median:.0f} ms" for one in larger.outside]
    said = f"accepted to live in {larger.records:,} records: {', '.join(parts)}"
    growth = [
        f"{more.apart_from_frames().median / few.apart_from_frames().median:.2f}"
        for few, more in zip(smaller.inside, larger.inside, strict=True)
    ]
    said += f"; without the frame files {', '.join(growth)} times those in {smaller.records:,}"
    if larger.sustained is not None:
        live = larger.sustained.answer_to_live
        said += f"; under {RATE} uploads/s p50 {live.median:.0f} ms, p99 {live.percentile(99):.0f} ms"
    said += f"; peak RSS {larger.peak / MIB:.0f} MiB"
    if rattler is not None:
        times, memory = 1000 * rattler.seconds / new, rattler.peak_bytes / larger.peak
        said += f"; rattler-index takes {times:,.0f} times as long and {memory:.1f} times the memory"
    return said


if __name__ == "__main__":
    main()
