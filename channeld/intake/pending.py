"""Uploads whose steps are requests of their own: announced, received, then added to the catalog.

What one step leaves for the next is a small file beside the unfinished uploads, where every process that serves one
data directory finds it. Nothing about it has to survive a crash: the files have the name of temporary ones, so the
start of a server removes them, and the sweeper those that were abandoned. Bytes that were received and never added
have no row, and go like all such bytes (``sweeping``).

The id of an upload is a secret: whoever knows it may send its bytes, once.

Calls block on the disk.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

from channeld.blobs.durable import disk_errors
from channeld.catalog.audit import Actor
from channeld.catalog.files import Artifact
from channeld.formats.names import Naming
from channeld.intake.ingest import Upload
from channeld.intake.rejections import UploadUnknown
from channeld.intake.sweeping import UNNAMED_SECONDS

#: How long the bytes of an announced upload may take to begin to come.
ANNOUNCED_SECONDS: Final = 3600.0
#: How long received bytes wait to be added; they are swept after twice as long.
RECEIVED_SECONDS: Final = UNNAMED_SECONDS / 2

_ID: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Received:
    """An upload whose bytes are in the store."""

    upload: Upload
    artifact: Artifact


class PendingUploads:
    """The uploads between their steps, in a folder of temporary files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def announce(self, upload: Upload) -> str:
        """Keep what is known of an upload, its authority included, and return the id under which its bytes may come.

        Raises:
            DiskFull, DiskUnavailable: as they say.
        """
        upload_id = secrets.token_hex(20)
        self._write(self._path(upload_id, "announced"), _plain(upload))
        return upload_id

    def claim(self, upload_id: str, now_ms: int) -> Upload:
        """Return what was announced, for the one who sends the bytes: nobody else gets it any more.

        Raises:
            UploadUnknown: it was not announced, is claimed already, or was announced too long ago.
        """
        mine = self._path(upload_id, f"claimed-{secrets.token_hex(4)}")
        with disk_errors(mine):
            try:
                # of several who try, one succeeds
                self._path(upload_id, "announced").rename(mine)
                upload = _upload(msgpack.unpackb(mine.read_bytes()))
                mine.unlink()
            except FileNotFoundError:
                raise UploadUnknown(upload_id) from None
        if now_ms - upload.actor.now_ms > ANNOUNCED_SECONDS * 1000:
            raise UploadUnknown(upload_id)
        return upload

    def keep(self, upload_id: str, received: Received, now_ms: int) -> None:
        """Remember what the bytes of a claimed upload are, until it is added to the catalog.

        Raises:
            DiskFull, DiskUnavailable: as they say.
        """
        artifact = {field: getattr(received.artifact, field) for field in Artifact.__slots__}
        fields = {"upload": _plain(received.upload), "artifact": artifact, "received_ms": now_ms}
        self._write(self._path(upload_id, "received"), fields)

    def received(self, upload_id: str, now_ms: int) -> Received:
        """Look up what was received.

        Raises:
            UploadUnknown: nothing was, it was too long ago, or ``forget`` was called.
        """
        path = self._path(upload_id, "received")
        with disk_errors(path):
            try:
                fields = msgpack.unpackb(path.read_bytes())
            except FileNotFoundError:
                raise UploadUnknown(upload_id) from None
        if now_ms - fields["received_ms"] > RECEIVED_SECONDS * 1000:
            raise UploadUnknown(upload_id)
        return Received(_upload(fields["upload"]), Artifact(**fields["artifact"]))

    def forget(self, upload_id: str) -> None:
        """Let go of an upload that has been added, or never will be."""
        path = self._path(upload_id, "received")
        with disk_errors(path):
            path.unlink(missing_ok=True)

    def _path(self, upload_id: str, step: str) -> Path:
        if _ID.fullmatch(upload_id) is None:
            raise UploadUnknown(upload_id[:64])
        return self._folder / f"{upload_id}.{step}.tmp"

    def _write(self, path: Path, fields: dict[str, Any]) -> None:
        with disk_errors(path):
            try:
                path.write_bytes(msgpack.packb(fields))
            except OSError:
                path.unlink(missing_ok=True)
                raise


def _plain(upload: Upload) -> dict[str, Any]:
    return {**asdict(upload), "naming": upload.naming.value}


def _upload(fields: dict[str, Any]) -> Upload:
    fields = {
        **fields,
        "naming": Naming(fields["naming"]),
        "labels": tuple(fields["labels"]),
        "actor": Actor(**fields["actor"]),
    }
    return Upload(**fields)
