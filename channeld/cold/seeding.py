"""When files came into a view first, as the folder that they come from tells it (CEP 47).

Where the folder has a repodata.json, its ``indexed_timestamp`` of a file counts, as long as the record is of the same
bytes. Of a file that it lists without one: the time of the build, as long as that is not after now. Of other files:
for an import the time of the build too, or that of the last change of the file where it tells none; now, for a file
that is new to the folder's own index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from channeld.catalog.artifact import Artifact
from channeld.cold.scan import Seen

_SECTIONS: Final = ("packages", "packages.conda")


#: Of one file name: sha256 or md5 of bytes that it had → their ``indexed_timestamp``; None where none was given.
Listed = Mapping[str, int | None]


def time_of(listed: Listed, artifact: Artifact, now_ms: int) -> int | None:
    """Return when bytes came in first, in ms; None where they are not listed."""
    for digest in (artifact.sha256, artifact.md5):
        if digest in listed:
            indexed = listed[digest]
            if indexed is not None and indexed <= now_ms:
                return indexed
            return min(now_ms, artifact.timestamp_ms) if artifact.timestamp_ms else None
    return None


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a repodata.json tells of its files, by name."""

    listed: dict[str, Listed]

    @classmethod
    def read(cls, subdir_folder: Path) -> Seeds:
        """Read the repodata.json of a subdir; what cannot be read tells nothing."""
        try:
            document = orjson.loads((subdir_folder / "repodata.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return cls({})
        return cls(dict(_listed(document)) if isinstance(document, dict) else {})


def import_time(seeds: Seeds, artifact: Artifact, seen: Seen, now_ms: int) -> int:
    """Return when an imported file came into its channel first, in ms."""
    time = time_of(seeds.listed.get(artifact.filename, {}), artifact, now_ms)
    if time is None and artifact.timestamp_ms:
        time = artifact.timestamp_ms
    return min(now_ms, seen.mtime_ns // 1_000_000 if time is None else time)


def _listed(document: dict[str, Any]) -> Iterator[tuple[str, Listed]]:
    v3 = document.get("v3")
    sections = [(document.get(section), "") for section in _SECTIONS]
    if isinstance(v3, dict):
        sections += [(section, f".{extension}") for extension, section in v3.items()]
    for records, extension in sections:
        for key, record in records.items() if isinstance(records, dict) else ():
            if isinstance(record, dict):
                indexed = record.get("indexed_timestamp")
                digest = record.get("sha256") or record.get("md5") or ""
                if isinstance(digest, str):
                    yield (
                        key + extension,
                        {digest: indexed if type(indexed) is int and indexed >= 0 else None},
                    )
