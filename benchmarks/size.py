"""How large is repodata.json.zst? Ours, page by page, beside the one piece of conda-index and of rattler-index.

Each indexer writes the document of the same records with its own code: conda-index compresses it whole at level 16,
rattler-index whole at level 19. Ours is as the settings have it by default, and settled: every page at
``index.level_settled``. ``indexed_timestamp`` (CEP 47) is in ours
and in rattler-index's; conda-index does not write it, so that beside it stands ours without it too.

rattler-index takes minutes and gigabytes for 500,000 records: ``--rattler`` runs it and keeps the size in
``results/size.json``, for runs without the switch. ``--experiments`` tries other pages and levels.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import orjson

from benchmarks import rattlerindex, results
from benchmarks.measure import MIB, machine, parser, positive, say, seconds
from benchmarks.results import Subject
from benchmarks.synthesis import NOW_MS, SUBDIR, data_folder, packages
from channeld.formats.layout import SEPARATOR, canonical_json, entry
from channeld.formats.repodata import RepodataInfo, repodata_layout
from channeld.formats.zstdframe import compress_page
from channeld.indexing.pagetable import Measures, Page, PageTable, Place, measure
from channeld.indexing.paging import PageSize
from channeld.settings.sections import Index

_HOUR_MS: Final = 3_600_000

#: Section → (file name, record) in order.
Sections = dict[str, list[tuple[str, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Pages:
    """One way to cut and compress."""

    size: PageSize
    level: int

    @classmethod
    def usual(cls) -> Self:
        """Return what the settings are without a configuration."""
        return cls(PageSize.of(Index().page_records), Index().level_settled)


def main() -> None:
    """Measure, and print the two ratios on the last line."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=positive, help="how many; 32,000 and 500,000 by default")
    arguments.add_argument("--rattler", action="store_true", help="run rattler-index however long it takes")
    arguments.add_argument(
        "--experiments", action="store_true", help="other pages and levels of ours as well"
    )
    options = arguments.parse_args()
    gc.disable()  # it would look for cycles among millions of objects, again and again; there are none
    say(machine())
    counts = (8_000,) if options.small else (32_000, 500_000)
    summary = [
        _compare(count, ask_rattler=options.rattler, experiments=options.experiments)
        for count in ((options.records,) if options.records else counts)
    ]
    say("size of ours to the peer's: " + "; ".join(summary))


def _compare(count: int, *, ask_rattler: bool, experiments: bool) -> str:
    sections = records(count)
    pages = Pages.usual()
    taken, ours = seconds(lambda: paged_size(lines(sections), pages))
    say(f"\nrepodata.json.zst of {count:,} records, {ours.raw_size:,} bytes as JSON")
    _show(f"channeld, pages of {pages.size.target} at level {pages.level}", ours.zst_size, taken, count)
    bare = paged_size(lines(sections, timed=False), pages)
    _show("the same without indexed_timestamp", bare.zst_size, None, count)
    taken, theirs = seconds(lambda: conda_index_size(sections))
    _show("conda-index, whole at level 16", theirs, taken, count)
    parts = [f"conda-index {ours.zst_size / theirs:.3f} (without timestamps {bare.zst_size / theirs:.3f})"]
    rattler = rattler_size(sections, count, ask=ask_rattler)
    if rattler is not None:
        _show("rattler-index, whole at level 19", rattler[0], rattler[1], count)
        parts.append(f"rattler-index {ours.zst_size / rattler[0]:.3f}")
    else:
        say("  rattler-index: not run and no size kept; --rattler runs it, for minutes and in gigabytes")
    if experiments:
        _experiment(sections, rattler[0] if rattler else theirs)
    return f"{count:,} records: {', '.join(parts)}"


def _show(what: str, size: int, taken: float | None, count: int) -> None:
    spent = "" if taken is None else f"  {taken:7.1f} s"
    say(f"  {what:44} {size:12,} bytes {size / count:7.2f} a record{spent}")


def records(count: int) -> Sections:
    """Return records in the order of the document, each with a time at which it came into the index."""
    sections: Sections = {"packages": [], "packages.conda": []}
    for package in packages(data_folder(), count):
        sections[package.section].append((package.filename, package.record | _indexed(package.record)))
    for found in sections.values():
        found.sort(key=lambda item: item[0])
    return sections


def _indexed(record: dict[str, Any]) -> dict[str, int]:
    """Make up when the file was indexed: some time within a day of its build, as on conda-forge."""
    built = record.get("timestamp") or NOW_MS
    built = built * 1000 if built < 10**11 else built
    return {"indexed_timestamp": built + int(record["sha256"][:12], 16) % (24 * _HOUR_MS)}


def lines(sections: Sections, *, timed: bool = True) -> dict[str, list[tuple[str, bytes]]]:
    """Write each record as a line of our document."""
    return {
        section: [
            (filename, entry(filename, canonical_json(record if timed else _without_time(record))))
            for filename, record in found
        ]
        for section, found in sections.items()
    }


def _without_time(record: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in record.items() if field != "indexed_timestamp"}


def paged_size(entries: dict[str, list[tuple[str, bytes]]], pages: Pages) -> Measures:
    """Cut and compress a document as the index does."""
    layout = repodata_layout(RepodataInfo(SUBDIR))
    with ThreadPoolExecutor() as threads:
        made = {
            section: tuple(threads.map(lambda page: _press(page, pages.level), _cut(found, pages)))
            for section, found in entries.items()
        }
    return measure(
        PageTable(layout.sections, layout.glue, tuple(made.get(name, ()) for name in layout.sections))
    )


def _cut(entries: list[tuple[str, bytes]], pages: Pages) -> Iterator[list[tuple[str, bytes]]]:
    """Cut as ``channeld.indexing.paging`` does where there is no earlier document."""
    page: list[tuple[str, bytes]] = []
    size = 0
    for key, line in entries:
        if page and (len(page) == pages.size.target or size + len(line) > pages.size.target_bytes):
            yield page
            page, size = [], 0
        page.append((key, line))
        size += len(line)
    if page:
        yield page


def _press(page: list[tuple[str, bytes]], level: int) -> Page:
    raw = SEPARATOR.join(line for _, line in page)
    data = compress_page(raw, level)
    place = Place("", 0, len(data), hashlib.sha256(data).digest())
    return Page(page[0][0], len(page), len(raw), hashlib.sha256(raw).digest(), place, level)


def conda_index_size(sections: Sections) -> int:
    """Have conda-index write the document, as it does by default, with ``--zst``."""
    importlib.import_module("tests.support.conda_index")  # brings the parts of conda that conda-index lacks
    from conda_index.index import ChannelIndex

    document: dict[str, Any] = {"info": {"subdir": SUBDIR}, "removed": [], "repodata_version": 1}
    for section, found in sections.items():
        document[section] = {filename: _without_time(record) for filename, record in found}
    with tempfile.TemporaryDirectory(prefix="channeld-size-") as folder:
        (Path(folder) / SUBDIR).mkdir()
        index = ChannelIndex(folder, "bench", subdirs=[SUBDIR], threads=1, write_zst=True)
        index._write_repodata(SUBDIR, document, "repodata.json")  # type: ignore[no-untyped-call]
        return (Path(folder) / SUBDIR / "repodata.json.zst").stat().st_size


def rattler_size(sections: Sections, count: int, *, ask: bool) -> tuple[int, float | None] | None:
    """Have rattler-index write the document, or return the size that was kept: (bytes, seconds)."""
    subject = Subject(
        what="rattler-index, repodata.json.zst",
        records=count,
        sample=hashlib.sha256(orjson.dumps(sections)).hexdigest()[:16],
        versions=rattlerindex.VERSIONS,
    )
    if not ask and count > rattlerindex.QUICK:
        kept = results.find("size", subject)
        if kept is None:
            return None
        say(f"  rattler-index: {kept.told()}")
        return round(kept.figures["zst_bytes"]), None
    with tempfile.TemporaryDirectory(prefix="channeld-size-") as folder:
        rattlerindex.lay_out(Path(folder), sections)
        done = rattlerindex.index(Path(folder))
        size = (Path(folder) / SUBDIR / "repodata.json.zst").stat().st_size
    say(f"  rattler-index took {done.seconds:.1f} s and {done.peak_bytes / MIB:,.0f} MiB")
    if count > rattlerindex.QUICK:
        results.keep("size", subject, {"zst_bytes": size, **done.figures()})
    return size, done.seconds


def _experiment(sections: Sections, peer: int) -> None:
    """Try other pages."""
    entries = lines(sections)
    say("  other pages (records a page, most KiB a page, level): bytes, to the last peer's, seconds")
    for level in (16, 19):
        for records_a_page, kib in ((256, 124), (512, 124), (512, 512), (1024, 512), (4096, 2048)):
            pages = Pages(PageSize(records_a_page, kib * 1024), level)
            taken, made = seconds(partial(paged_size, entries, pages))
            say(
                f"    {records_a_page:5} {kib:5} {level:3}  {made.zst_size:12,}  "
                f"{made.zst_size / peer:.3f}  {taken:.1f}"
            )


if __name__ == "__main__":
    main()
