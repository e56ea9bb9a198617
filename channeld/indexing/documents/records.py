"""The documents that list every file of a view: both repodata documents, and run_exports.json.

For each: in which sections a file may stand, and the one line that it has now. A file whose place changed (hidden,
shown again, another candidate with another section) is put in one place and taken out of every other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from channeld.catalog.viewrows import ViewRow
from channeld.catalog.views import ViewKey
from channeld.formats.layout import canonical_json, entry
from channeld.formats.relations import ChannelRelations
from channeld.formats.runexports import run_exports_entry
from channeld.indexing.documents import layouts, names
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.paging import suffix_of

REMOVED: Final = "removed"

#: The section where a file stands in a document, and its entry there.
Line = tuple[str, bytes]


@dataclass(slots=True)
class FileInView:
    """One file as a view knows it, and its record as the view's documents write it."""

    row: ViewRow
    #: With the time at which the file came into the view (CEP 47).
    record: dict[str, Any]
    #: The entry of the record.
    entry: bytes


@dataclass(frozen=True, slots=True)
class RecordDocument:
    """A document with a line for each file, whose sort key is the file name."""

    name: str
    #: Where a file stands now, if it does.
    line: Callable[[ViewKey, FileInView], Line | None]
    #: Where a file of this name may stand, or may have stood.
    sections: Callable[[str], tuple[str, ...]]
    layout: Callable[[ViewKey, ChannelRelations], LayoutOf]


def record_of(row: ViewRow) -> dict[str, Any]:
    """Return the record as the view shows it."""
    record: dict[str, Any] = orjson.loads(row.record)
    record["indexed_timestamp"] = row.indexed_ms
    return record


def file_in_view(row: ViewRow) -> FileInView:
    """Write the entry of a file's record, once for all documents that have it."""
    record = record_of(row)
    return FileInView(row, record, entry(key_in(row.section, row.filename), canonical_json(record)))


def key_in(section: str, filename: str) -> str:
    """Return the key of a file in a section: its name, in ``v3`` without the extension (CEP 48)."""
    return filename.removesuffix(suffix_of(section))


def _classic(filename: str) -> str:
    return "packages.conda" if filename.endswith(".conda") else "packages"


def _record_sections(filename: str) -> tuple[str, ...]:
    """Name the sections where a record may stand, by the extension of its file (CEP 36 and CEP 48)."""
    return ("packages.conda", "v3.conda") if filename.endswith(".conda") else ("packages", "v3.tar.bz2")


def _repodata(key: ViewKey, file: FileInView) -> Line | None:
    row = file.row
    if row.shown:
        return row.section, file.entry
    return (REMOVED, orjson.dumps(row.filename)) if key.lists_removed else None


def _from_packages(_key: ViewKey, file: FileInView) -> Line | None:
    return (file.row.section, file.entry) if file.row.labelled else None


def _run_exports(_key: ViewKey, file: FileInView) -> Line | None:
    row = file.row
    if not row.labelled:
        return None
    return _classic(row.filename), run_exports_entry(row.filename, row.run_exports)


RECORD_DOCUMENTS: Final = (
    RecordDocument(
        names.REPODATA,
        _repodata,
        lambda filename: (*_record_sections(filename), REMOVED),
        layouts.repodata,
    ),
    RecordDocument(names.FROM_PACKAGES, _from_packages, _record_sections, layouts.repodata),
    RecordDocument(
        names.RUN_EXPORTS,
        _run_exports,
        lambda filename: (_classic(filename),),
        lambda key, _relations: layouts.run_exports(key),
    ),
)
