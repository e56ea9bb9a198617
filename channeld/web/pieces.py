"""Immutable bytes on their way to clients: read on a thread, the small ones kept in memory.

Everything here is named by its hash or digest, so what is kept never goes stale.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Final, TypeVar

from channeld.blobs.local import LocalBlobs
from channeld.indexing.assembly import Assembly
from channeld.indexing.documents.shards import read_index
from channeld.indexing.generation import Paged
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import Place
from channeld.indexing.pieceranges import compressed, plain
from channeld.indexing.tables import Tables
from channeld.web.representation import Take

T = TypeVar("T")

#: Bytes kept in memory, and the largest piece that is: the shard index of a channel of 30,000 names has 1.5 MB.
KEPT_BYTES: Final = 32 * 1024 * 1024
LARGEST_KEPT: Final = 4 * 1024 * 1024
_THREADS: Final = 4
_INDEXES: Final = 256  # shard indexes whose names are counted
#: Plain bytes that one hop to a thread decompresses.
_STEP: Final = 4 * 1024 * 1024
_ZST_STEP: Final = 512 * 1024


class Pieces:
    """Reads shards, documents and artifacts of one instance. For the event loop's thread."""

    def __init__(self, packs: Packs, tables: Tables, assembly: Assembly, blobs: LocalBlobs) -> None:
        self._packs = packs
        self._tables = tables
        self._assembly = assembly
        self._blobs = blobs
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pieces")
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._counts: OrderedDict[Place, int] = OrderedDict()
        self._running: dict[object, asyncio.Future[Any]] = {}

    def close(self) -> None:
        """Wait for what is being read."""
        self._threads.shutdown(wait=True)

    async def piece(self, place: Place) -> bytes:
        """Return a stored piece; raises ``PieceDamaged``."""
        return await self.remember(place, lambda: self._packs.read(place))

    async def count_shards(self, place: Place) -> int:
        """Count the packages that a shard index lists."""
        count = self._counts.get(place)
        if count is None:
            data = await self.piece(place)
            count = self._counts[place] = await self.on_thread(lambda: len(read_index(data)))
            if len(self._counts) > _INDEXES:
                self._counts.popitem(last=False)
        return count

    async def text(self, document: Paged) -> bytes:
        """Return the whole plain text of a small document."""

        def read() -> bytes:
            table = self._tables.get(document.table)
            return b"".join(plain(self._packs, table, 0, document.raw_size))

        return await self.remember(document.raw_digest, read)

    def kept(self, key: object) -> bytes | None:
        """Return what is in memory under a name that stands for its bytes."""
        data = self._kept.get(key)
        if data is not None:
            self._kept.move_to_end(key)
        return data

    async def remember(self, key: object, read: Callable[[], bytes]) -> bytes:
        """Return what is kept under a name that stands for its bytes, or read it, once for all who ask meanwhile."""
        data = self.kept(key)
        if data is not None:
            return data
        data = await self._once(key, read)
        if len(data) <= LARGEST_KEPT and key not in self._kept:
            self._kept[key] = data
            self._kept_bytes += len(data)
            while self._kept_bytes > KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return data

    async def open_frame(self, document: Paged, take: Take) -> bytes | BinaryIO:
        """Open the zstd frame of a document, assembled first if need be, and return what is taken of it.

        Raises:
            DiskFull: there is no room for it, or no more than the reserve.
            PieceDamaged, DiskUnavailable: it cannot be read, or made.
        """
        taken = await self.on_thread(lambda: self._take_frame(document, take))
        if taken is None:
            # the first readers after a start come together, and one frame may be 30 MB
            await self._once(("frame", document.zst_digest), lambda: self._assemble(document))
            taken = await self.on_thread(lambda: take(self._assembly.open(document)))
        return taken

    def _assemble(self, document: Paged) -> None:
        self._blobs.check_room(document.zst_size)  # the last room is the catalog's and the indexer's
        self._assembly.ensure(document)

    def _take_frame(self, document: Paged, take: Take) -> bytes | BinaryIO | None:
        """Return what is taken of a frame; None where it is not assembled."""
        file = self._assembly.find(document)
        return take(file) if file is not None else None

    async def open_artifact(self, sha256: str, take: Take) -> bytes | BinaryIO:
        """Open an artifact, and return what is taken of it."""
        return await self.on_thread(lambda: take(self._blobs.open(sha256)))

    async def read(self, document: Paged, start: int, stop: int, *, zst: bool) -> AsyncIterator[bytes]:
        """Yield a range of the plain text of a document, or of its zstd frame, a few pages at a time."""
        chunks, step = (compressed, _ZST_STEP) if zst else (plain, _STEP)
        for begin in range(start, stop, step):
            end = min(stop, begin + step)

            def read(begin: int = begin, end: int = end) -> bytes:
                return b"".join(chunks(self._packs, self._tables.get(document.table), begin, end))

            yield await self.on_thread(read)

    async def on_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _once(self, key: object, work: Callable[[], T]) -> T:
        """Run blocking work, or wait for the same work that runs already."""
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(self.on_thread(work))
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        value: T = await asyncio.shield(running)
        return value

    def _forget(self, key: object, done: asyncio.Future[Any]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # everybody who asked may have left
