"""What a worker process draws of a subdir, file by file: repodata.json and run_exports.json, plain and as frames."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from channeld.cold import packages, state
from channeld.cold.frames import Drawn, Earlier, write_document
from channeld.formats.layout import entry
from channeld.formats.repodata import V3_SECTIONS, RepodataInfo, Revision, repodata_layout
from channeld.formats.runexports import SECTION_OF, run_exports_entry, run_exports_layout

REPODATA: Final = "repodata.json"
FROM_PACKAGES: Final = "repodata_from_packages.json"
RUN_EXPORTS: Final = "run_exports.json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a document is written, and what the last run wrote of it."""

    plain: Path
    frame: Path
    earlier: Earlier | None = None


def draw_records(state_file: Path, subdir: str, targets: Mapping[str, Target]) -> dict[str, Drawn]:
    """Write the documents of a subdir; returns what they came to, by name.

    Nothing patches a folder's index, so repodata_from_packages.json is repodata.json once more.

    Raises:
        StateDamaged, StateUnavailable
        OSError: a file could not be written.
    """
    with state.opened(state_file) as connection:
        repodata = _write_repodata(connection, subdir, targets[REPODATA])
        run_exports = _write_run_exports(connection, subdir, targets[RUN_EXPORTS])
    shutil.copyfile(targets[REPODATA].plain, targets[FROM_PACKAGES].plain)
    shutil.copyfile(targets[REPODATA].frame, targets[FROM_PACKAGES].frame)
    return {REPODATA: repodata, FROM_PACKAGES: repodata, RUN_EXPORTS: run_exports}


def _write_repodata(connection: sqlite3.Connection, subdir: str, target: Target) -> Drawn:
    def entries(section: str) -> Iterator[bytes]:
        extension = len(section) - 2 if section in V3_SECTIONS else 0  # keys in v3 have none (CEP 48)
        for filename, record in packages.records(connection, subdir, section):
            yield entry(filename[: len(filename) - extension], record)

    info = RepodataInfo(subdir, v3=_revision(connection, subdir))
    return write_document(repodata_layout(info), entries, target.plain, target.frame, target.earlier)


def _revision(connection: sqlite3.Connection, subdir: str) -> Revision | None:
    """Tell of the v3 records what the head of the document says (CEP 48)."""
    query = """
        SELECT count(*), min(indexed_ms), max(indexed_ms) FROM packages
        WHERE subdir = ? AND section IN (?, ?)
    """
    count, oldest, newest = connection.execute(query, (subdir, *V3_SECTIONS)).fetchone()
    return Revision(n_packages=count, oldest=oldest, newest=newest) if count else None


def _write_run_exports(connection: sqlite3.Connection, subdir: str, target: Target) -> Drawn:
    def entries(section: str) -> Iterator[bytes]:
        sources = [source for source, shown in SECTION_OF.items() if shown == section]
        for package in packages.listed(connection, subdir, sources):
            yield run_exports_entry(package.filename, package.run_exports)

    return write_document(run_exports_layout(subdir), entries, target.plain, target.frame, target.earlier)
