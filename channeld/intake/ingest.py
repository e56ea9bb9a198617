"""``ingest()``: the one way by which a package comes in.

Its caller, a dialect, has authorised the upload already, by everything that is known before the body. Then, in this
order:

1. the bytes go to a temporary file and are hashed on the way; memory does not grow with them;
2. asserted hashes are compared, the archive is inspected, its record made;
3. a conflict with what the channel holds is found before anything is kept;
4. the bytes become durable under their hash;
5. one catalog transaction adds file, labels, dirty marks and audit row.

Whatever fails before step 4 leaves nothing behind. What fails between 4 and 5 (a crash, a database away, another upload
that was quicker with the name) leaves bytes that no row refers to, which the sweeper removes. A small package takes one
hop to a worker thread for steps 1 to 4 together.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from channeld.blobs.local import Incoming, LocalBlobs
from channeld.catalog import files
from channeld.catalog.audit import Actor
from channeld.catalog.database import Database
from channeld.catalog.files import Added, Artifact
from channeld.clock import Clock
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from channeld.intake.inspection import inspect
from channeld.intake.keeping import add_kept
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
    #: The rules that names have to keep in this channel.
    naming: Naming = Naming.STRICT
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
        """Take one package in. Whoever is cancelled here leaves no more behind than a failure does.

        Raises:
            Rejected: what is wrong with it; nothing was stored.
            Unavailable: disk or database; it may be uploaded again.
        """
        filename = _checked(upload)
        async with self._arrival(upload) as arrival:
            rest = await self._receive(arrival, chunks)
            return await self._handed_over(
                lambda: self._database.submit(self._addition(upload, self._keep(arrival, rest, filename)))
            )

    async def receive(self, upload: Upload, chunks: AsyncIterator[bytes]) -> Artifact:
        """Do steps 1 to 4. Without ``add`` within the hour the bytes are forgotten again (``sweeping``).

        Raises:
            Rejected, Unavailable: as ``ingest``.
        """
        filename = _checked(upload)
        async with self._arrival(upload) as arrival:
            rest = await self._receive(arrival, chunks)
            return await self._on_thread(lambda: self._keep(arrival, rest, filename))

    async def add(self, upload: Upload, artifact: Artifact) -> Added:
        """Do step 5 for what ``receive`` returned. The same again changes nothing.

        Raises:
            Rejected, Unavailable: as ``ingest``.
        """
        return await self._database.write(self._addition(upload, artifact))

    def _addition(self, upload: Upload, artifact: Artifact) -> Callable[[Connection], Added]:
        return lambda connection: add_kept(
            connection, self._blobs, upload.channel, artifact, upload.labels, upload.actor
        )

    @asynccontextmanager
    async def _arrival(self, upload: Upload) -> AsyncIterator[_Arrival]:
        """Have a place for bytes, which are forgotten unless they are kept."""
        arrival = _Arrival(self._blobs, upload)
        try:
            yield arrival
        finally:
            if arrival.incoming is not None:
                await self._on_thread(arrival.discard)

    async def _receive(self, arrival: _Arrival, chunks: AsyncIterator[bytes]) -> bytes:
        """Write all but the last chunk, which is returned: most packages are no longer than one."""
        waiting = bytearray()
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _CHUNK:
                full, waiting = bytes(waiting), bytearray()
                await self._on_thread(partial(arrival.write, full))
        return bytes(waiting)

    def _keep(self, arrival: _Arrival, rest: bytes, filename: FileName) -> Artifact:
        """Take the last bytes, judge the whole, and keep it."""
        upload = arrival.upload
        incoming = arrival.write(rest)
        artifact = self._examine(incoming, upload, filename)
        self._database.read_now(
            lambda connection: files.check_room(connection, upload.channel, artifact, upload.labels)
        )
        incoming.keep()
        arrival.incoming = None
        return artifact

    def _examine(self, incoming: Incoming, upload: Upload, filename: FileName) -> Artifact:
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
            naming=upload.naming,
            limits=self._limits,
            now_ms=self._clock.now_ms(),
        )
        if upload.subdir and upload.subdir != artifact.subdir:
            raise SubdirContradicted(upload.filename, upload.subdir, artifact.subdir)
        return artifact

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work. Whoever is cancelled waits for its end first: two threads must not have one file."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await _ended(running)
            raise

    async def _handed_over(self, work: Callable[[], Future[T]]) -> T:
        """Run blocking work that leaves the rest to the catalog, and wait for both: the loop is woken once, not twice.

        Whoever is cancelled waits for the end of the work on this thread, and takes the rest back if it has not begun.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        running = self._threads.submit(_begin, work, partial(_tell, loop, done))
        try:
            return await done
        except asyncio.CancelledError:
            begun = asyncio.wrap_future(running)
            await _ended(begun)
            begun.result().cancel()
            raise
        finally:
            del done, running  # an error in them has this frame in its traceback, and a large upload in that


class _Arrival:
    """An upload, and the file that its bytes go to: made with the first of them, gone once they are kept."""

    def __init__(self, blobs: LocalBlobs, upload: Upload) -> None:
        self.upload = upload
        self.incoming: Incoming | None = None
        self._blobs = blobs

    def write(self, data: bytes) -> Incoming:
        """Take the next bytes."""
        if self.incoming is None:
            self.incoming = self._blobs.receive(self.upload.expected_bytes)
        self.incoming.write(data)
        return self.incoming

    def discard(self) -> None:
        """Forget the bytes."""
        if self.incoming is not None:
            self.incoming.discard()


async def _ended(running: asyncio.Future[T]) -> None:
    """Wait for the end of work on a thread, however often this task is cancelled meanwhile."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()  # has been looked at: whoever was cancelled does not care


def _begin(work: Callable[[], Future[T]], tell: Callable[[Future[T]], None]) -> Future[T]:
    """Run work on this thread that leaves the rest to somebody else; ``tell`` is called when all of it has ended."""
    try:
        rest = work()
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        rest = _failed(error)
    try:
        rest.add_done_callback(tell)
        return rest
    finally:
        del rest


def _failed(error: BaseException) -> Future[Any]:
    """Return what ended with an error; a StopIteration, which no task takes, as a RuntimeError."""
    failed: Future[Any] = Future()
    if isinstance(error, StopIteration):
        unexpected = RuntimeError("The work ended with StopIteration.")
        unexpected.__cause__ = error
        error = unexpected
    failed.set_exception(error)
    try:
        return failed
    finally:
        del failed, error


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], ended: Future[T]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(_pass_on, ended, done)


def _pass_on(ended: Future[T], done: asyncio.Future[T]) -> None:
    """Give a result to the task that waits for it, if it still does."""
    if done.done():
        return
    if ended.cancelled():
        done.cancel()
    elif (error := ended.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(ended.result())


def _checked(upload: Upload) -> FileName:
    """Check what is asserted of an upload; returns its file name."""
    filename = FileName.parse(upload.filename, upload.naming)
    check_asserted(upload.sha256, upload.md5)
    return filename


def check_asserted(sha256: str, md5: str) -> None:
    """Make sure that what a client asserts are hashes, "" standing for none; raises ``ChecksumMalformed``."""
    for algorithm, asserted in (("sha256", sha256), ("md5", md5)):
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
        small_document_size=limits.archive_small_document_bytes,
        entries=limits.archive_entries,
        ratio=limits.archive_ratio,
    )
