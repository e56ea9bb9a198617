"""The documents that list every file of a view: both repodata documents, and run_exports.json.

For each: in which sections a file may stand, and the line it has there now. A file whose place changed (hidden, shown
again, another candidate with another section) is put in one place and taken out of every other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from channeld.catalog.views import ViewKey, ViewRow
from channeld.formats.layout import entry
from channeld.formats.relations import ChannelRelations
from channeld.formats.runexports import run_exports_entry
from channeld.indexing.documents import layouts, names
from channeld.indexing.documents.layouts import LayoutOf

REMOVED: Final = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    """Where a file stands in a document, or no longer stands (``text`` is None)."""

    section: str
    key: str
    text: bytes | None
    #: ``indexed_timestamp`` of the record.
    indexed_ms: int = 0


@dataclass(frozen=True, slots=True)
class RecordDocument:
    """A document with a line for each file."""

    name: str
    lines: Callable[[ViewKey, ViewRow], Iterator[Line]]
    layout: Callable[[ViewKey, ChannelRelations], LayoutOf]


def record_json(row: ViewRow) -> bytes:
    """Write the record as this view shows it: with the time at which the file came into the view (CEP 47)."""
    return orjson.dumps(
        {**orjson.loads(row.record), "indexed_timestamp": row.indexed_ms}, option=orjson.OPT_SORT_KEYS
    )


def _places(filename: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Name the sections where a file may stand, with its key in each (CEP 36 and CEP 48)."""
    for extension, classic in ((".conda", "packages.conda"), (".tar.bz2", "packages")):
        if filename.endswith(extension):
            return (classic, filename), (f"v3{extension}", filename.removesuffix(extension))
    raise ValueError(f"{filename!r} is no package file name")


def _record_lines(row: ViewRow, *, present: bool) -> Iterator[Line]:
    for section, key in _places(row.filename):
        if present and section == row.section:
            yield Line(section, key, entry(key, record_json(row)), row.indexed_ms)
        else:
            yield Line(section, key, None)


def _repodata(key: ViewKey, row: ViewRow) -> Iterator[Line]:
    yield from _record_lines(row, present=row.shown)
    gone = key.lists_removed and not row.shown
    yield Line(REMOVED, row.filename, orjson.dumps(row.filename) if gone else None)


def _from_packages(_key: ViewKey, row: ViewRow) -> Iterator[Line]:
    yield from _record_lines(row, present=row.labelled)


def _run_exports(_key: ViewKey, row: ViewRow) -> Iterator[Line]:
    section, key = _places(row.filename)[0]
    yield Line(section, key, run_exports_entry(key, row.run_exports) if row.labelled else None)


RECORD_DOCUMENTS: Final = (
    RecordDocument(names.REPODATA, _repodata, layouts.repodata),
    RecordDocument(names.FROM_PACKAGES, _from_packages, layouts.repodata),
    RecordDocument(names.RUN_EXPORTS, _run_exports, lambda key, _relations: layouts.run_exports(key)),
)
