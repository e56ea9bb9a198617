"""Assembled frames: a document's zstd frame as one file, for sendfile.

A frame is a cache. It is made from its predecessor's unchanged ranges (copied inside the kernel) and the new pages,
and made anew from the packs alone whenever it is missing. The folder belongs to one run of the server: what an earlier
run left is removed at the start, so that no file which a crash may have cut short is ever trusted.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from channeld.blobs.durable import Disk, disk_errors
from channeld.formats.zstdframe import END
from channeld.indexing import pagetable
from channeld.indexing.generation import Paged
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import Page, PageTable, Place, encoded_size, header
from channeld.indexing.press import load_page

_TABLES = 64  # decoded page tables kept in memory; one of 500,000 records takes about 1 MB


#: Compressed hash of a page → where it starts in a frame, and the bytes between the page before and it.
Known = dict[bytes, tuple[int, bytes]]


class Tables:
    """Decoded page tables, the latest ones kept."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._kept: OrderedDict[Place, PageTable] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: Place) -> PageTable:
        """Return the table at a place; raises ``PieceDamaged``."""
        with self._lock:
            table = self._kept.get(place)
            if table is not None:
                self._kept.move_to_end(place)
                return table
        table = pagetable.decode(self._packs.read(place))
        self.keep(place, table)
        return table

    def keep(self, place: Place, table: PageTable) -> None:
        """Remember a table that was just written."""
        with self._lock:
            self._kept[place] = table
            if len(self._kept) > _TABLES:
                self._kept.popitem(last=False)


class Assembly:
    """Makes and keeps the frames of documents. Safe for several threads and processes; calls block on the disk."""

    def __init__(self, folder: Path, packs: Packs, tables: Tables, disk: Disk | None = None) -> None:
        self.folder = folder
        self._packs = packs
        self._tables = tables
        self._disk = disk or Disk()
        with disk_errors(folder):
            self._disk.make_folder(folder)

    def path(self, document: Paged) -> Path:
        """Say where the frame lies, or would lie."""
        return self.folder / f"{document.zst_digest}.zst"

    def ensure(self, document: Paged, previous: Paged | None = None) -> Path:
        """Return the path of the document's frame, making it first when it is not there.

        Raises:
            PieceDamaged: a page is not there as it was written.
            DiskFull, DiskUnavailable: the file could not be written.
        """
        path = self.path(document)
        if path.exists():
            return path
        table = self._tables.get(document.table)
        partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        with disk_errors(path):
            try:
                with partial.open("xb", buffering=1024 * 1024) as target:
                    self._write(target.fileno(), document, table, previous)
                self._disk.rename(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        return path

    def _write(self, target: int, document: Paged, table: PageTable, previous: Paged | None) -> None:
        os.write(target, header(document.raw_size))
        source, known = self._open_previous(previous)
        try:
            for run in _runs(table, known):
                if isinstance(run, bytes):
                    _write_all(target, run)
                elif isinstance(run, Page):
                    _write_all(target, self._packs.read(run.place))
                else:
                    _copy(source, target, *run)
        finally:
            if source >= 0:
                os.close(source)
        os.write(target, END)

    def _open_previous(self, previous: Paged | None) -> tuple[int, Known]:
        """Open the predecessor's frame, and say where in it each page lies, after which bytes."""
        if previous is None:
            return -1, {}
        try:
            source = os.open(self.path(previous), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1, {}
        known: Known = {}
        position = len(header(previous.raw_size))
        between = b""
        for piece in self._tables.get(previous.table).pieces():
            if isinstance(piece, Page):
                known[piece.place.sha256] = position, between
                between = b""
            else:
                between += piece.encoded
            position += encoded_size(piece)
        return source, known

    def drop_except(self, kept: set[str]) -> int:
        """Remove the frames whose digest is not among ``kept``; returns how many."""
        count = 0
        for path in self.folder.glob("*.zst"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)
                count += 1
        return count

    def clear(self) -> None:
        """Remove every frame."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)


def _runs(table: PageTable, known: Known) -> Iterator[bytes | Page | tuple[int, int]]:
    """Yield what to write: bytes, a page from its pack, or a range (start, length) of the predecessor's frame.

    Neighbouring pages that were neighbours before, with the same constant between them, become one range.
    """
    start = end = -1
    between = b""  # constants seen since the range ended, which it takes in when the next page continues it
    for piece in table.pieces():
        if not isinstance(piece, Page):
            between += piece.encoded
            continue
        at, before = known.get(piece.place.sha256, (-1, b""))
        if start >= 0 and at == end + len(between) and before == between:
            end = at + piece.place.size
            between = b""
            continue
        if start >= 0:
            yield start, end - start
        if between:
            yield between
            between = b""
        if at >= 0:
            start, end = at, at + piece.place.size
        else:
            start = end = -1
            yield piece
    if start >= 0:
        yield start, end - start
    if between:
        yield between


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _copy(source: int, target: int, start: int, length: int) -> None:
    while length:
        copied = os.copy_file_range(source, target, length, offset_src=start)
        if copied == 0:
            raise OSError(f"the frame to copy from ends at byte {start}")
        start += copied
        length -= copied


def plain(packs: Packs, table: PageTable, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes ``start`` to ``stop`` of the plain document, page by page.

    Raises:
        PieceDamaged: a page is not there as it was written.
    """
    position = 0
    for piece in table.pieces():
        size = pagetable.decoded_size(piece)
        if position + size > start and position < stop:
            data = load_page(packs, piece) if isinstance(piece, Page) else piece.decoded
            yield data[max(0, start - position) : stop - position]
        position += size
        if position >= stop:
            return
