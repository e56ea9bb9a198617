"""What a view knows of its files, row by row: of some, or of all, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.views import ViewKey

_CHUNK: Final = 500  # names in one IN list, below every database's limit of parameters
_ROWS_AT_ONCE: Final = 2000  # rows of a whole view that are held in memory together


class ViewRow(NamedTuple):
    """What one file name is in a view. A tuple: half a million are made when a view is rebuilt."""

    filename: str
    name: str
    section: str
    record: bytes
    run_exports: bytes
    indexed_ms: int
    artifact_id: int
    #: In repodata.json.
    shown: bool
    #: In repodata_from_packages.json: shown, or hidden by nothing but the label ``broken``.
    labelled: bool


_ROWS = (
    sa.select(
        t.file_labels.c.filename,
        t.file_labels.c.active,
        t.file_labels.c.indexed_ms,
        t.files.c.name,
        t.files.c.broken,
        t.files.c.deleted_ms,
        t.files.c.artifact_id,
        t.artifacts.c.section,
        t.artifacts.c.record,
        t.artifacts.c.run_exports,
    )
    .join(t.files, t.files.c.id == t.file_labels.c.file_id)
    .join(t.artifacts, t.artifacts.c.id == t.files.c.artifact_id)
    # the order of the table's key: with another column in it, all rows of a view would be written down to be sorted
    .order_by(t.file_labels.c.filename, t.file_labels.c.file_id)
)


def view_rows(
    connection: Connection, key: ViewKey, filenames: frozenset[str] | None = None
) -> Iterator[ViewRow]:
    """Yield what the view knows of each file name, sorted; of the given names, or of all (streamed)."""
    base = _ROWS.where(t.file_labels.c.label_id == key.label_id, t.file_labels.c.subdir == key.subdir)
    if filenames is None:
        # of the statement, not of the connection: those would hold for everything else that the snapshot is asked
        yield from _fold(key, connection.execute(base.execution_options(yield_per=_ROWS_AT_ONCE)))
        return
    ordered = sorted(filenames)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        yield from _fold(key, connection.execute(base.where(t.file_labels.c.filename.in_(chunk))))


def rows_of_names(connection: Connection, key: ViewKey, names: frozenset[str]) -> Iterator[ViewRow]:
    """Yield what the view knows of the files of some packages, sorted by file name in each chunk of names."""
    ordered = sorted(names)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        query = _ROWS.where(
            t.files.c.channel_id == key.channel_id,
            t.files.c.name.in_(chunk),
            t.files.c.subdir == key.subdir,
            t.file_labels.c.label_id == key.label_id,
        )
        yield from _fold(key, connection.execute(query))


def _fold(key: ViewKey, rows: sa.CursorResult[Any]) -> Iterator[ViewRow]:
    """Keep one row of each file name, given all of them together, by their ids.

    Of several candidates the newest that carries the label and is not broken is the one that is shown. The same rule
    finds the bytes for a download (``selection.newest``).
    """
    best: sa.Row[Any] | None = None
    for some in rows.partitions(_ROWS_AT_ONCE):
        for row in some:
            if best is not None:
                if best[0] != row[0]:
                    yield _view_row(key, best)
                elif _rank(row) < _rank(best):
                    continue
            best = row
    if best is not None:
        yield _view_row(key, best)


def _rank(row: Any) -> tuple[bool, bool]:
    _, active, _, _, broken, *_ = row
    return bool(active), not broken


_make: Final = ViewRow._make


def _view_row(key: ViewKey, row: Any) -> ViewRow:
    filename, active, indexed_ms, name, broken, deleted_ms, artifact_id, section, record, run_exports = row
    labelled = bool(active) and deleted_ms is None
    shown = labelled and (not broken or key.shows_broken)
    return _make((filename, name, section, record, run_exports, indexed_ms, artifact_id, shown, labelled))
