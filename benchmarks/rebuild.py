"""How long does a whole view take, out of the catalog? What an import waits for, and the answer to damage.

The view is rendered for the first time, then once more though nothing has changed: every page and shard is derived
again, compared with what is stored, and kept. No indexer beside it does less: conda-index and rattler-index read the
packages again, or the old repodata.json as a whole.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measure import MIB, forget_peak, machine, parser, peak_bytes, say, seconds
from benchmarks.synthesis import SUBDIR, data_folder, fill_apart
from channeld.catalog import viewlist
from channeld.clock import SystemClock
from channeld.instance import Instance, open_instance
from channeld.settings import Settings
from channeld.settings.sections import Storage

CHANNEL = "bench"


def main() -> None:
    """Measure; the last line has seconds, memory and time for each record."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=int, help="how many; 500,000 by default")
    options = arguments.parse_args()
    data_folder()
    say(machine())
    count = options.records or (20_000 if options.small else 500_000)
    with tempfile.TemporaryDirectory(prefix="channeld-bench-") as folder:
        took, _ = seconds(lambda: fill_apart(Path(folder), CHANNEL, count))
        say(f"{count:,} records put into the catalog in {took:.1f} s")
        instance = open_instance(Settings(storage=Storage(data_dir=Path(folder))), SystemClock())
        try:
            say(measure(instance, count))
        finally:
            instance.close()


def measure(instance: Instance, count: int) -> str:
    """Render the view twice; returns the headline."""
    forget_peak(os.getpid())
    first, publications = seconds(instance.publisher.publish_all)
    peak = peak_bytes(os.getpid())
    say(
        f"first rendering: {first:.1f} s, {first / count * 1e6:.0f} µs a record, "
        f"{publications[0].bytes_written / MIB:.0f} MiB written, peak RSS {peak / MIB:.0f} MiB"
    )
    for key, _ in instance.database.read_now(lambda connection: list(viewlist.current(connection))):
        if key.subdir == SUBDIR:
            instance.publisher.rebuild(key)
    forget_peak(os.getpid())
    again, publications = seconds(instance.publisher.publish_all)
    say(
        f"once more, unchanged: {again:.1f} s, {publications[0].bytes_written / MIB:.1f} MiB written, "
        f"peak RSS {peak_bytes(os.getpid()) / MIB:.0f} MiB"
    )
    return (
        f"a view of {count:,} records in {first:.1f} s ({first / count * 1e6:.0f} µs a record), "
        f"{peak / MIB:.0f} MiB; checked and kept in {again:.1f} s"
    )


if __name__ == "__main__":
    main()
