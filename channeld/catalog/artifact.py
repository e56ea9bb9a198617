"""What is known of a package's bytes: plain values, for whoever reads packages without a catalog too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of the bytes of one package file. All of it follows from the bytes."""

    sha256: str
    md5: str
    size: int
    filename: str
    subdir: str
    name: str
    version: str
    build: str
    build_number: int
    timestamp_ms: int
    section: str
    #: Canonical JSON of the repodata record, without ``indexed_timestamp``.
    record: bytes
    #: Canonical JSON of its run_exports.
    run_exports: bytes
    #: Canonical JSON of what channeldata.json takes from the archive beyond the record.
    facts: bytes = b'{"about":{},"source":{}}'
