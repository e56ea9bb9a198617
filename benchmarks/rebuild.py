"""How long does a whole view take, out of the catalog? What an import waits for, and the answer to damage.

The view is rendered for the first time, then once more though nothing has changed: every page and shard is derived
again, compared with what is stored, and kept. Each round begins with the same catalog and nothing else.

No indexer beside it does less, whatever has changed: rattler-index reads the old repodata.json and writes all of it.
What that takes is measured here for few records; of 500,000 it is kept by ``benchmarks.publish --rattler``, and what
that comes to for each record is compared.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import (
    MIB,
    Helped,
    Spread,
    forget_peak,
    machine,
    parser,
    peak_bytes,
    positive,
    say,
    seconds,
)
from benchmarks.rattlerindex import Indexed, one_more
from benchmarks.servers import CHANNEL, open_folder
from benchmarks.synthesis import SUBDIR, data_folder, fill_apart
from channeld.catalog import viewlist
from channeld.instance import Instance
from channeld.web.process import prepare_process, settle_process

#: Records of which there is a result of rattler-index.
_BESIDE: Final = 500_000


@dataclass(frozen=True, slots=True)
class Rendering:
    """One rendering of the whole view."""

    seconds: float
    pack_bytes: int
    #: Of this process and the one that helps, together.
    peak: int


def main() -> None:
    """Measure; the last line has seconds, memory and the ratios."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=positive, help="how many; 1,000,000 by default")
    arguments.add_argument("--rounds", type=positive, default=3, help="3 by default")
    options = arguments.parse_args()
    data_folder()
    prepare_process()  # as a server's process is
    settle_process()
    say(machine())
    count = options.records or (20_000 if options.small else 1_000_000)
    first, again = [], []
    with tempfile.TemporaryDirectory(prefix="channeld-rebuild-") as folder:
        root = Path(folder)
        (root / "filled").mkdir()
        took, _ = seconds(lambda: fill_apart(root / "filled", CHANNEL, count))
        say(f"{count:,} records put into the catalog in {took:.1f} s")
        for number in range(options.rounds):
            shutil.copytree(root / "filled", root / str(number))
            instance = open_folder(root / str(number))
            try:
                first.append(_render(instance))
                _mark(instance)
                again.append(_render(instance))
            finally:
                instance.close()
            shutil.rmtree(root / str(number))
    _report("first rendering", first, count)
    _report("once more, unchanged", again, count)
    beside = min(count, _BESIDE)
    say(_headline(first, again, one_more(beside, ask=False), count))


def _render(instance: Instance) -> Rendering:
    forget_peak(os.getpid())
    with Helped() as helped:
        took, publications = seconds(instance.publisher.publish_all)
    peak = peak_bytes(os.getpid()) + sum(helped.peaks.values())
    return Rendering(took, sum(one.bytes_written for one in publications), peak)


def _mark(instance: Instance) -> None:
    """Have the whole view rendered again."""
    for key, _ in instance.database.read_now(lambda connection: list(viewlist.current(connection))):
        if key.subdir == SUBDIR:
            instance.publisher.rebuild(key)


def _report(what: str, rounds: list[Rendering], count: int) -> None:
    took = Spread(tuple(one.seconds for one in rounds))
    written = Spread(tuple(one.pack_bytes / MIB for one in rounds))
    say(f"\n{what}, {count:,} records, {len(rounds)} times:")
    say(f"  {took.shown('s', 1)}, {took.median / count * 1e6:.0f} µs a record")
    say(f"  {written.shown('MiB', 1)} written to the pack; peak RSS {_peak(rounds) / MIB:.0f} MiB")


def _peak(rounds: list[Rendering]) -> int:
    return max(one.peak for one in rounds)


def _headline(first: list[Rendering], again: list[Rendering], peer: Indexed | None, count: int) -> str:
    new, same = (Spread(tuple(one.seconds for one in rounds)).median for rounds in (first, again))
    said = (
        f"a view of {count:,} records in {new:.1f} s ({new / count * 1e6:.0f} µs a record), "
        f"{_peak(first) / MIB:.0f} MiB; checked and kept in {same:.1f} s, {same / new:.2f} of that"
    )
    if peer is not None:
        said += (
            f"; rattler-index takes {peer.seconds / min(count, _BESIDE) / (new / count):.1f} times as long a record, "
            f"and with {min(count, _BESIDE):,} of them {peer.peak_bytes / _peak(first):.1f} times the memory"
        )
    return said


if __name__ == "__main__":
    main()
