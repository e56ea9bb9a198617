"""What a rebuild makes of a package after another, out of rows alone: its shard, and its line in channeldata.json.

Plain functions of plain values, so that a helper can be given them (see ``errands``).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from channeld.catalog.viewrows import ViewRow
from channeld.formats.channeldata import EncodedFile, encoded_entry, newest_of_versions
from channeld.formats.shard import ShardTooLarge
from channeld.indexing.documents import shards
from channeld.indexing.documents.records import record_of
from channeld.indexing.documents.shards import FileRecord


class PackageFiles(NamedTuple):
    """A package, and all files of it that a view has."""

    name: str
    #: The fields of ``ViewRow``: pickle takes five times as long to write named tuples.
    rows: Sequence[tuple[Any, ...]]


class PackageReferences(NamedTuple):
    """A package, and the files that speak for it in channeldata.json."""

    name: str
    files: Sequence[EncodedFile]


#: The name of a package, and its line in channeldata.json.
Line = tuple[str, bytes]


class PackageMade(NamedTuple):
    """What comes out of a package's files."""

    name: str
    #: Its shard, compressed; None where nothing is shown, or it is too large.
    shard: bytes | None
    too_large: ShardTooLarge | None
    #: The artifacts that speak for the package, by their file names; eight bytes each are kept.
    references: Sequence[int]


def make_packages(packages: Sequence[PackageFiles], lists_removed: bool) -> list[PackageMade]:
    """Make the shards of some packages, and choose their reference files."""
    return [_make(name, rows, lists_removed=lists_removed) for name, rows in packages]


def make_entries(packages: Sequence[PackageReferences]) -> list[Line]:
    """Write the lines of some packages in channeldata.json."""
    return [(name, encoded_entry(name, files)) for name, files in packages]


def _make(name: str, rows: Sequence[tuple[Any, ...]], *, lists_removed: bool) -> PackageMade:
    files = [(row, record_of(row)) for row in map(ViewRow._make, rows)]
    references = _references(files)
    try:
        return PackageMade(name, shards.shard(files, lists_removed=lists_removed), None, references)
    except ShardTooLarge as error:
        return PackageMade(name, None, error, references)


def _references(files: Sequence[FileRecord]) -> Sequence[int]:
    shown = {row.filename: (row, record) for row, record in files if row.shown}
    chosen = newest_of_versions(
        ("", filename, record["version"], record.get("timestamp") or 0)
        for filename, (_, record) in shown.items()
    )
    return array("q", [shown[filename][0].artifact_id for _, filename in chosen])
