"""Assembled frames: a document's zstd frame as one file, for sendfile.

A frame is a cache. It is made from its predecessor's unchanged ranges (copied inside the kernel) and the new pages,
and made anew from the packs alone whenever it is missing. Kept are those of the current and the previous generation
of each view; whoever asks for an older one gets it made again, as long as its generation is kept.

Frames are not flushed to the disk, so only those are trusted that were made since the machine was started: they lie in
a folder that is named for that start. A process that is killed leaves whole frames and temporary files, no half ones.

A frame that was changed after it was made is neither served nor copied from (see ``frameseal``); it is made anew from
the packs, where each page is checked by its hash.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, repeat
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from channeld.blobs.durable import Disk, DiskUnavailable, disk_errors
from channeld.blobs.durable import sweep as sweep_temporary
from channeld.errors import Unavailable
from channeld.formats.zstdframe import END, RESET_WITH_COMMA, Splice
from channeld.indexing.frameseal import check_assembled, is_sealed, seal
from channeld.indexing.generation import Documents, Paged
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import (
    Page,
    PageTable,
    header,
)
from channeld.indexing.tables import Tables

log = logging.getLogger(__name__)

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NOT_HERE: Final = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}
_COPIED_AT_ONCE: Final = 8 * 1024 * 1024
#: How often a frame is made for a reader, while others drop it.
_TRIES: Final = 100

#: Compressed hash of a page → where it starts in a frame, and the bytes between the page before and it.
Known = dict[bytes, tuple[int, bytes]]


@dataclass(eq=False)
class FrameWrong(Unavailable):
    """A frame that was just put together is not what its pages give."""

    path: str
    problem: str

    advice: ClassVar[str] = "It was thrown away. Please report it; `channeld fsck` tells more."

    def sentence(self) -> str:
        return f"The frame {self.path} is wrong: {self.problem.rstrip('.')}."


class _Unreadable(Exception):
    """The bytes of a predecessor cannot be copied."""


def start_of_machine() -> str:
    """Return a text that differs after the machine was started again; where there is none, after this process was."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return secrets.token_hex(16)


class Assembly:
    """Makes and keeps the frames of documents. Safe for several threads and processes; calls block on the disk."""

    def __init__(self, folder: Path, packs: Packs, tables: Tables, disk: Disk | None = None) -> None:
        self.root = folder
        self.folder = folder / start_of_machine()
        self._packs = packs
        self._tables = tables
        self._disk = disk or Disk()
        self._kept: dict[Hashable, tuple[set[str], set[str]]] = {}
        self._lock = threading.Lock()
        #: Called for each frame that is found to be damaged.
        self.on_damage: Callable[[], None] = lambda: None
        with disk_errors(folder):
            self._disk.make_folder(self.folder)

    def path(self, document: Paged) -> Path:
        """Say where the frame lies, or would lie."""
        return self.folder / f"{document.zst_digest}.zst"

    def ensure(self, document: Paged, previous: Paged | None = None) -> Path:
        """Return the path of the document's frame, making it first when it is not there.

        Raises:
            PieceDamaged: a page is not there as it was written.
            DiskFull, DiskUnavailable: the file could not be written.
            FrameWrong: with the log at debug, where it is looked at: it is not what its pages give.
        """
        path = self.path(document)
        with disk_errors(path):
            if self._is_there(path, document):
                return path
        table = self._tables.get(document.table)
        with disk_errors(self.folder):
            self._disk.make_folder(self.folder)
            if previous is not None and self._made_from(previous, path, document, table):
                return path
            self._make(path, document, table, None)
        return path

    def _is_there(self, path: Path, document: Paged) -> bool:
        """Tell whether the frame is there, as it was made."""
        try:
            if is_sealed(path.stat(), document):
                return True
        except FileNotFoundError:
            return False
        log.error("The frame %s was changed after it was made. It is made again.", path)
        self.on_damage()
        return False

    def _made_from(self, previous: Paged, path: Path, document: Paged, table: PageTable) -> bool:
        """Make a frame from its predecessor's; False where that one is no good, which is forgotten then."""
        try:
            self._make(path, document, table, previous)
        except (FrameWrong, _Unreadable) as error:
            log.error(
                "The frame %s cannot be used: %s. The next one is made without it.",
                self.path(previous),
                error,
            )
            self.on_damage()
            self.path(previous).unlink(missing_ok=True)
            return False
        return True

    def _make(self, path: Path, document: Paged, table: PageTable, previous: Paged | None) -> None:
        temporary = self.folder / f"{secrets.token_hex(12)}.tmp"
        try:
            with self._disk.create(temporary) as target:
                self._write(target, document, table, previous)
            if log.isEnabledFor(logging.DEBUG):
                _check(temporary, document, table)
            os.utime(temporary, ns=(time.time_ns(), seal(document)))
            self._disk.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def open(self, document: Paged) -> BinaryIO:
        """Open the document's frame, making it first when it is not there; the caller closes it.

        Raises:
            PieceDamaged, DiskFull, DiskUnavailable: as ``ensure`` does.
        """
        for _ in range(_TRIES):
            self.ensure(document)
            file = self.find(document)
            if file is not None:  # else it was dropped in between
                return file
        raise DiskUnavailable(
            str(self.path(document)), "a file that was just written is not as it was written"
        )

    def find(self, document: Paged) -> BinaryIO | None:
        """Open the document's frame if it is there as it was made; the caller closes it.

        Raises:
            DiskUnavailable
        """
        path = self.path(document)
        with disk_errors(path):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return None
            if is_sealed(os.fstat(file.fileno()), document):
                return file
            file.close()
            return None

    def problem_of(self, document: Paged, table: PageTable) -> str:
        """Compare a frame that is there with the pieces it is made of; returns what is wrong, "" for nothing.

        Raises:
            DiskUnavailable
        """
        path = self.path(document)
        with disk_errors(path):
            try:
                frame, status = path.read_bytes(), path.stat()
            except FileNotFoundError:
                return ""
        changed = "" if is_sealed(status, document) else "it was changed after it was made"
        return check_assembled(frame, document, table) or changed

    def _write(self, target: BinaryIO, document: Paged, table: PageTable, previous: Paged | None) -> None:
        self._disk.write(target, header(document.raw_size))
        source, known = self._open_previous(previous)
        try:
            for run in _runs(table, known):
                if isinstance(run, bytes):
                    self._disk.write(target, run)
                elif isinstance(run, Page):
                    self._disk.write(target, self._packs.read(run.place))
                else:
                    target.flush()
                    _copy(source, target.fileno(), *run)
                    target.seek(0, os.SEEK_END)
        finally:
            if source >= 0:
                os.close(source)
        self._disk.write(target, END)

    def _open_previous(self, previous: Paged | None) -> tuple[int, Known]:
        """Open the predecessor's frame, and say where in it each page lies, after which bytes."""
        if previous is None:
            return -1, {}
        try:
            source = os.open(self.path(previous), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1, {}
        if not is_sealed(os.fstat(source), previous):  # better to make it without
            os.close(source)
            return -1, {}
        try:
            parts = self._tables.get(previous.table).parts()
        except PieceDamaged:
            os.close(source)
            return -1, {}
        return source, _positions(parts, len(header(previous.raw_size)))

    def published(self, view: Hashable, documents: Documents, before: Documents) -> None:
        """Drop the frames that were the previous ones of a view until now, and that no other view keeps."""
        with self._lock:
            newer, older = self._kept.get(view, (set(), set()))
            self._kept[view] = frame_digests(documents), frame_digests(before)
            dropped = (newer | older).difference(*(both for kept in self._kept.values() for both in kept))
        for digest in dropped:
            (self.folder / f"{digest}.zst").unlink(missing_ok=True)

    def drop(self, documents: Documents) -> None:
        """Remove the frames of a generation; who asks for one gets it made again."""
        for digest in frame_digests(documents):
            (self.folder / f"{digest}.zst").unlink(missing_ok=True)

    def sweep(self, kept: set[str], most_bytes: int, before: float) -> int:
        """Remove the frames whose digest is not ``kept``, the oldest first, until they fit in so many bytes.

        What was left behind before a Unix time goes too: temporary files, and frames of earlier starts of the machine.
        Returns how many frames went.
        """
        for folder in self.root.iterdir():
            if folder != self.folder and folder.is_dir() and folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
        sweep_temporary(self.folder, before)
        others = sorted(_ages(path for path in self.folder.glob("*.zst") if path.stem not in kept))
        total = sum(size for _, size, _ in others)
        count = 0
        for _, size, path in others:
            if total <= most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            count += 1
        return count


def _check(path: Path, document: Paged, table: PageTable) -> None:
    problem = check_assembled(path.read_bytes(), document, table)
    if problem:
        raise FrameWrong(f"{document.zst_digest}.zst", problem)


def _ages(paths: Iterable[Path]) -> Iterator[tuple[float, int, Path]]:
    """Yield for each file when it was last used, as far as the file system knows, and its size."""
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield max(status.st_mtime, status.st_atime), status.st_size, path


def frame_digests(documents: Documents) -> set[str]:
    """Name the frames of a generation."""
    return {document.zst_digest for document in documents.values() if isinstance(document, Paged)}


def _positions(parts: Iterable[Splice | tuple[Page, ...]], position: int) -> Known:
    """Say where in a frame each page lies, after which bytes; the first part lies at ``position``."""
    known: Known = {}
    between = b""
    gap = RESET_WITH_COMMA.encoded
    for part in parts:
        if isinstance(part, Splice):
            between += part.encoded
            position += len(part.encoded)
        else:  # thousands of pages: gone through in C
            starts = list(accumulate([page.place.size + len(gap) for page in part], initial=position))
            known.update(zip([page.place.sha256 for page in part], zip(starts, repeat(gap)), strict=False))
            known[part[0].place.sha256] = position, between
            position, between = starts[-1] - len(gap), b""
    return known


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


def _copy(source: int, target: int, start: int, length: int) -> None:
    """Append a range of one file to another, inside the kernel where the file system can do that."""
    while length:
        try:
            copied = os.copy_file_range(source, target, min(length, _COPIED_AT_ONCE), offset_src=start)
        except OSError as error:
            if error.errno == errno.EIO:
                raise _Unreadable(error.strerror) from error
            if error.errno not in _NOT_HERE:
                raise
            copied = os.write(target, os.pread(source, min(length, _COPIED_AT_ONCE), start))
        if copied == 0:
            raise _Unreadable(f"it ends at byte {start}")
        start += copied
        length -= copied
