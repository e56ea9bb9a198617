"""What a worker process does for ``channeld index``: package files become rows that are ready to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from channeld.catalog.artifact import Artifact
from channeld.cold.packages import Package
from channeld.cold.reading import ReadFiles
from channeld.cold.refusal import Refusal
from channeld.cold.scan import Seen
from channeld.cold.seeding import Listed, time_of
from channeld.formats.archive.limits import Limits
from channeld.formats.layout import canonical_json
from channeld.formats.names import Naming

#: For each file the values of a ``Package``, or why it is not taken.
Rows = list[tuple[Any, ...] | Refusal]


def read_packages(
    folder: str,
    subdir: str,
    files: tuple[tuple[str, Seen], ...],
    naming: Naming,
    limits: Limits,
    now_ms: int,
    listed: Mapping[str, Listed],
) -> Rows:
    """Read files. ``listed`` has what is known of when their bytes came in first, by file name."""
    rows: Rows = []
    for found, _ in ReadFiles(folder, subdir, files, naming, limits, now_ms).read():
        if isinstance(found, Refusal):
            rows.append(found)
        else:
            indexed_ms = time_of(listed.get(found.filename, {}), found, now_ms)
            rows.append(_row(found, now_ms if indexed_ms is None else indexed_ms))
    return rows


def _row(artifact: Artifact, indexed_ms: int) -> tuple[Any, ...]:
    record = orjson.loads(artifact.record)
    record["indexed_timestamp"] = indexed_ms
    return tuple(
        Package(
            subdir=artifact.subdir,
            section=artifact.section,
            filename=artifact.filename,
            name=artifact.name,
            version=artifact.version,
            timestamp_ms=artifact.timestamp_ms,
            sha256=artifact.sha256,
            indexed_ms=indexed_ms,
            record=canonical_json(record),
            run_exports=artifact.run_exports,
            facts=artifact.facts,
        )
    )
