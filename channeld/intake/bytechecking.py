"""Checking whether the store still has what came in: every package is read, and compared with its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from typing import Final, cast

from channeld.blobs.durable import DiskUnavailable, disk_errors
from channeld.blobs.local import BlobMissing, LocalBlobs
from channeld.catalog import channels
from channeld.catalog.database import Database
from channeld.catalog.storedbytes import StoredBytes, names_of, stored_after

#: Artifacts that are asked of the catalog at a time.
_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class CheckedPackage:
    """An artifact that was read: sound where there is no ``problem``."""

    size: int
    #: ``<channel>/<subdir>/<file name>``, of one with a problem.
    names: tuple[str, ...] = ()
    problem: str = ""


def check_packages(database: Database, blobs: LocalBlobs, channel: str = "") -> Iterator[CheckedPackage]:
    """Read the bytes of every artifact, or of those of one channel. What comes in meanwhile is read too.

    Raises:
        ChannelMissing: there is no such channel.
    """
    wanted = database.read_now(lambda connection: channels.get(connection, channel).id) if channel else None
    some = partial(stored_after, limit=_ROWS, channel_id=wanted)
    found = database.read_now(partial(some, last_id=0))
    while found:
        for one in found:
            yield _check(database, blobs, one)
        found = database.read_now(partial(some, last_id=found[-1].id))


def _check(database: Database, blobs: LocalBlobs, one: StoredBytes) -> CheckedPackage:
    problem = _problem(blobs, one)
    names = database.read_now(lambda connection: names_of(connection, one.id)) if problem else []
    # one without names was swept since it was listed: nobody misses it
    return CheckedPackage(one.size, tuple(names), problem) if names else CheckedPackage(one.size)


def _problem(blobs: LocalBlobs, one: StoredBytes) -> str:
    """Say what is wrong with the stored bytes; "" for nothing."""
    path = blobs.path(one.sha256)
    try:
        with blobs.open(one.sha256) as file, disk_errors(path):
            sha256 = hashlib.file_digest(cast(BufferedReader, file), "sha256").hexdigest()
    except BlobMissing:
        return f"its bytes are missing; they belong into {path}"
    except DiskUnavailable as error:
        return f"its bytes cannot be read: {error.problem} ({path})"
    if sha256 != one.sha256:
        return f"its bytes are damaged: {path} has the sha256 {sha256}"
    return ""
