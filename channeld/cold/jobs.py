"""Cutting the files of a folder into jobs: small enough that all workers end at about the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from channeld.cold.scan import Seen

#: Files and bytes in one job: some ten milliseconds of work, or one large file.
_JOB_FILES: Final = 64
_JOB_BYTES: Final = 32 * 1024 * 1024


def jobs(
    files: Mapping[str, Sequence[tuple[str, Seen]]],
) -> Iterator[tuple[str, tuple[tuple[str, Seen], ...]]]:
    """Cut the files of each subdir into jobs: (subdir, files)."""
    for subdir, waiting in files.items():
        job: list[tuple[str, Seen]] = []
        size = 0
        for filename, seen in waiting:
            if job and (len(job) == _JOB_FILES or size + seen.size > _JOB_BYTES):
                yield subdir, tuple(job)
                job, size = [], 0
            job.append((filename, seen))
            size += seen.size
        if job:
            yield subdir, tuple(job)
