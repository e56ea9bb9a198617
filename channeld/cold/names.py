"""What a worker process draws of a subdir in one pass over its package names: shards, and current_repodata.json."""

from __future__ import annotations

import hashlib
import logging
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from channeld.cold import packages, state
from channeld.cold.current import CurrentDocument, Parsed
from channeld.cold.packages import Package
from channeld.cold.shardfolder import ShardWriter
from channeld.formats.repodata import V3_SECTIONS
from channeld.formats.shard import ShardTooLarge, encode_shard, shard_digest

log = logging.getLogger(__name__)

#: Files that a page lists.
NEWEST: Final = 50


@dataclass(slots=True)
class ByName:
    """What came of one pass over a subdir."""

    #: Of current_repodata.json.
    digest: str = ""
    size: int = 0
    packages: int = 0
    names: int = 0
    #: Package name → sha256 of its shard; None for one that is larger than clients take.
    shards: dict[str, bytes | None] = field(default_factory=dict)
    #: Shards that were not there: temporary name → name.
    written: dict[str, str] = field(default_factory=dict)
    #: The files that came in last, with what a page shows of each.
    newest: list[dict[str, Any]] = field(default_factory=list)


def draw_names(state_file: Path, subdir: str, current: Path, shards: Path | None) -> ByName:
    """Write current_repodata.json, and the shards that are not in their folder yet; None for no shards at all.

    Raises:
        StateDamaged, StateUnavailable
        OSError: a file could not be written.
    """
    drawn = ByName()
    newest = _Newest()
    writer = ShardWriter(shards) if shards is not None else None
    with state.opened(state_file) as connection:
        document = CurrentDocument(connection, subdir)
        for name, files in packages.by_name(packages.listed(connection, subdir)):
            drawn.names += 1
            drawn.packages += len(files)
            parsed = [(file, orjson.loads(file.record)) for file in files]
            document.take(name, parsed)
            newest.take(parsed)
            if writer is not None:
                drawn.shards[name] = _write_shard(writer, name, parsed)
        data = document.finish()
    with current.open("xb") as file:
        drawn.size = file.write(data)
    drawn.digest = hashlib.sha256(data).hexdigest()
    drawn.newest = newest.lines
    drawn.written = writer.written if writer is not None else {}
    return drawn


def _write_shard(writer: ShardWriter, name: str, files: Sequence[Parsed]) -> bytes | None:
    """Write the shard of a package; adds to the records what repodata.json does not say."""
    sections: dict[str, dict[str, dict[str, Any]]] = {}
    for file, record in files:
        record["run_exports"] = orjson.loads(file.run_exports)
        extension = (
            len(file.section) - 2 if file.section in V3_SECTIONS else 0
        )  # keys in v3 have none (CEP 48)
        sections.setdefault(file.section, {})[file.filename[: len(file.filename) - extension]] = record
    try:
        data = encode_shard(sections)
    except ShardTooLarge as error:
        log.error("The shard of the package %r stays as it is. %s", name, error)
        return None
    sha256 = shard_digest(data)
    writer.write(sha256, data)
    return sha256


class _Newest:
    """The files that came in last, latest first; of those that came together the first by name."""

    def __init__(self) -> None:
        self._found: list[tuple[tuple[int, str], dict[str, Any]]] = []

    def take(self, files: Sequence[Parsed]) -> None:
        """Take some files."""
        found = self._found
        for file, record in files:
            key = (-file.indexed_ms, file.filename)
            if len(found) < NEWEST or key < found[-1][0]:
                insort(found, (key, _line(file, record)))
                del found[NEWEST:]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What a page shows of them."""
        return [line for _, line in self._found]


def _line(file: Package, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": file.name,
        "version": file.version,
        "build": record["build"],
        "filename": file.filename,
        "subdir": file.subdir,
        "size": record["size"],
        "indexed_ms": file.indexed_ms,
        "sha256": file.sha256,
        "md5": record["md5"],
    }
