"""``ingest()``: the one way by which a package comes in.

Its caller, a dialect, has authorised the upload already, by everything that is known before the body. Then, in this
order:

1. the bytes go to a temporary file and are hashed on the way; memory does not grow with them;
2. asserted hashes are compared, the archive is inspected, its record made;
3. a conflict with what the channel holds is found before anything is kept;
4. the bytes become durable under their hash;
5. one catalog transaction adds file, labels, dirty marks and audit row.

Whatever fails before step 5 leaves nothing behind. A crash between 4 and 5 leaves bytes that no row refers to, which
the sweeper removes. A small package takes one hop to a worker thread for steps 1, 2 and 4 together.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from channeld.blobs.local import Incoming, LocalBlobs
from channeld.catalog import channels, files
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.database import Database
from channeld.catalog.files import Added, Artifact
from channeld.clock import Clock
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from channeld.intake.inspection import inspect
from channeld.intake.rejections import (
    ChecksumMalformed,
    ChecksumMismatch,
    EmptyUpload,
    SubdirContradicted,
)
from channeld.settings import Settings

T = TypeVar("T")

#: Bytes collected before a worker thread writes and hashes them.
_CHUNK: Final = 1024 * 1024
_THREADS: Final = 8
_HEX: Final = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}


@dataclass(frozen=True, slots=True)
class Upload:
    """What is known of an upload before its bytes."""

    channel: str
    filename: str
    labels: tuple[str, ...]
    actor: Actor
    #: The subdir in the URL, "" where the dialect has none.
    subdir: str = ""
    #: Hashes that the client asserts, hex; "" for none.
    sha256: str = ""
    md5: str = ""
    #: Content-Length, 0 where it is not known.
    expected_bytes: int = 0


class Intake:
    """Takes packages into one instance."""

    def __init__(self, database: Database, blobs: LocalBlobs, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._limits = archive_limits(settings)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="intake")

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown(wait=True)

    async def ingest(self, upload: Upload, chunks: AsyncIterator[bytes]) -> Added:
        """Take one package in.

        Raises:
            Rejected: what is wrong with it; nothing was stored.
            Unavailable: disk or database; nothing was stored.
        """
        channel = await self._database.read(lambda connection: channels.get(connection, upload.channel))
        naming = Naming.LEGACY if channel.settings.legacy == "allow" else Naming.STRICT
        filename = FileName.parse(upload.filename, naming)
        _check_asserted(upload)
        incoming = await self._on_thread(lambda: self._blobs.receive(upload.expected_bytes))
        try:
            rest = await self._receive(incoming, chunks)
            artifact = await self._on_thread(lambda: self._examine(incoming, rest, upload, filename, naming))
            await self._database.read(
                lambda connection: files.check_room(connection, upload.channel, artifact, upload.labels)
            )
            await self._on_thread(incoming.keep)
        finally:
            # does nothing once the bytes are kept; runs on a thread that is not the event loop's
            await asyncio.shield(self._on_thread(incoming.discard))
        return await self._add(channel, artifact, upload)

    async def _add(self, channel: Channel, artifact: Artifact, upload: Upload) -> Added:
        return await self._database.write(
            lambda connection: files.add(connection, channel.name, artifact, upload.labels, upload.actor)
        )

    async def _receive(self, incoming: Incoming, chunks: AsyncIterator[bytes]) -> bytes:
        """Write all but the last chunk, which is returned: most packages are no longer than one."""
        waiting = bytearray()
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _CHUNK:
                full, waiting = bytes(waiting), bytearray()
                await self._on_thread(partial(incoming.write, full))
        return bytes(waiting)

    def _examine(
        self, incoming: Incoming, rest: bytes, upload: Upload, filename: FileName, naming: Naming
    ) -> Artifact:
        incoming.write(rest)
        if incoming.size == 0:
            raise EmptyUpload(upload.filename)
        digests = incoming.digests()
        for algorithm, asserted, actual in (
            ("sha256", upload.sha256, digests.sha256),
            ("md5", upload.md5, digests.md5),
        ):
            if asserted and asserted != actual:
                raise ChecksumMismatch(algorithm, asserted, actual, digests.size)
        artifact = inspect(
            incoming.reader(),
            filename,
            digests,
            naming=naming,
            limits=self._limits,
            now_ms=self._clock.now_ms(),
        )
        if upload.subdir and upload.subdir != artifact.subdir:
            raise SubdirContradicted(upload.filename, upload.subdir, artifact.subdir)
        return artifact

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _check_asserted(upload: Upload) -> None:
    for algorithm, asserted in (("sha256", upload.sha256), ("md5", upload.md5)):
        if asserted and _HEX[algorithm].fullmatch(asserted) is None:
            raise ChecksumMalformed(algorithm, asserted)


def archive_limits(settings: Settings) -> Limits:
    """Translate the operator's limits."""
    limits = settings.limits
    return Limits(
        package_size=settings.server.max_upload_bytes,
        info_size=limits.archive_info_bytes,
        tar_size=limits.archive_tar_bytes,
        document_size=limits.archive_document_bytes,
        entries=limits.archive_entries,
        ratio=limits.archive_ratio,
    )
