"""Reading a package that lies on disk: both hashes and the metadata in one pass over its bytes.

A file of usual size is read whole, once; its bytes are hashed, inspected and, for an import, written again. A large
one goes by in pieces, so memory does not grow with it: a ``.tar.bz2`` is hashed while it is decompressed, of a
``.conda`` the few kB that inspection needs are asked of the system twice.

This is what the worker processes run. A few files are read and hashed before the first of them is judged: so the code
of either step stays in the processor's caches, which takes 6 % off. No more than a few: their memory is used for
the next ones too, where that of 64 files of 60 kB would cost a fifth of the time to have and to give back.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from channeld.blobs.local import Digests
from channeld.catalog.artifact import Artifact
from channeld.cold.keeping import keep_bytes, keep_copy, keep_link
from channeld.cold.refusal import Refusal
from channeld.cold.rejections import FileChanging, FileUnreadable
from channeld.cold.scan import Seen
from channeld.errors import Rejected
from channeld.formats.archive.inspection import inspect_archive
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from channeld.intake.inspection import describe, inspect
from channeld.intake.rejections import EmptyUpload, SubdirContradicted

#: Bytes up to which a file is read whole; nearly all of conda-forge's are smaller.
WHOLE: Final = 4 * 1024 * 1024
_PIECE: Final = 1024 * 1024
#: Files, and bytes of them, that are read before they are judged.
_TOGETHER: Final = 8
_TOGETHER_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """Some files of one folder for one worker, and by which rules they are judged. Called, it reads them.

    What comes back through a pipe is made of plain tuples: a dataclass takes ten times as long.
    """

    folder: str
    subdir: str
    files: tuple[tuple[str, Seen], ...]
    naming: Naming
    limits: Limits
    now_ms: int
    #: Where the bytes are kept under a temporary name, for an import; "" leaves them where they are.
    incoming: str = ""
    linked: bool = False

    def __call__(self) -> Results:
        return [
            (_values_of(found) if isinstance(found, Artifact) else found, kept) for found, kept in self.read()
        ]

    def read(self) -> Iterator[tuple[Artifact | Refusal, str]]:
        """Yield what became of each file, and the temporary file with its bytes or ""."""
        for files in self._few_at_a_time():
            for file in files:
                file.load()
            for file in files:
                yield file.judge(), file.kept

    def _few_at_a_time(self) -> Iterator[list[_File]]:
        few: list[_File] = []
        size = 0
        for filename, seen in self.files:
            if few and (len(few) == _TOGETHER or size + seen.size > _TOGETHER_BYTES):
                yield few
                few, size = [], 0
            few.append(_File(self, filename, seen))
            size += seen.size
        if few:
            yield few


#: For each file of a job the values of an ``Artifact`` or a ``Refusal``, and the temporary file with its bytes or "".
Results = list[tuple[tuple[Any, ...] | Refusal, str]]


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one file. Exactly one of ``artifact`` and ``refusal`` is there."""

    subdir: str
    filename: str
    seen: Seen
    artifact: Artifact | None
    refusal: Refusal | None = None
    #: The temporary file with the bytes, if they were kept.
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A job that is done."""

    job: ReadFiles
    results: Results

    def reads(self) -> Iterator[Read]:
        """Unpack the results."""
        for (filename, seen), (result, kept) in zip(self.job.files, self.results, strict=True):
            if isinstance(result, Refusal):
                yield Read(self.job.subdir, filename, seen, None, result)
            else:
                yield Read(self.job.subdir, filename, seen, Artifact(*result), None, kept)


_values_of: Final = attrgetter(*Artifact.__slots__)


class _File:
    """One file that is read: first loaded, then judged."""

    __slots__ = ("_data", "_digests", "_error", "_job", "_name", "_path", "_seen", "filename", "kept")

    _name: FileName

    def __init__(self, job: ReadFiles, filename: str, seen: Seen) -> None:
        self.filename = filename
        #: The temporary file with its bytes; "" where there is none.
        self.kept = ""
        self._job = job
        self._seen = seen
        self._path = f"{job.folder}/{filename}"
        self._error: Rejected | OSError | None = None
        #: The bytes and their hashes; of a large file, which is read when it is judged, there are none.
        self._data = b""
        self._digests: Digests | None = None

    def load(self) -> None:
        """Read and hash a file of usual size; what goes wrong, ``judge`` tells."""
        try:
            self._load()
        except (Rejected, OSError) as error:
            self._error = error

    def judge(self) -> Artifact | Refusal:
        """Say what became of the file. It holds no bytes any more."""
        try:
            if self._error is not None:
                raise self._error
            return self._judge()
        except (Rejected, OSError) as error:
            return self._refuse(error)
        finally:
            self._data, self._error = b"", None  # an error holds on to what was read

    def _load(self) -> None:
        job, size = self._job, self._seen.size
        self._name = FileName.parse(self.filename, job.naming)
        if job.incoming and (job.linked or size > WHOLE):
            keep = keep_link if job.linked else keep_copy
            self.kept = self._path = keep(job.incoming, self._path, size)
        if size <= WHOLE:
            self._data = data = self._read_whole()
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self._digests = Digests(hashlib.sha256(data).hexdigest(), md5, size)

    def _read_whole(self) -> bytes:
        size = self._seen.size
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(descriptor, size + 1)  # one more, to notice that it grew
            self._check_unchanged(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if len(data) != size:
            raise FileChanging(self.filename)
        if not data:
            raise EmptyUpload(self.filename)
        return data

    def _judge(self) -> Artifact:
        job = self._job
        artifact = self._read_in_pieces() if self._digests is None else self._inspect(self._digests)
        if artifact.subdir != job.subdir:
            raise SubdirContradicted(self.filename, job.subdir, artifact.subdir)
        return artifact

    def _inspect(self, digests: Digests) -> Artifact:
        job = self._job
        artifact = inspect(
            io.BytesIO(self._data),
            self._name,
            digests,
            naming=job.naming,
            limits=job.limits,
            now_ms=job.now_ms,
        )
        if job.incoming and not self.kept:
            self.kept = keep_bytes(job.incoming, self._data)
        return artifact

    def _read_in_pieces(self) -> Artifact:
        job, name = self._job, self._name
        with Path(self._path).open("rb", buffering=0) as file:
            hashed = HashedFile(file)
            inspection = inspect_archive(cast(BinaryIO, hashed), name, job.naming, job.limits)
            digests = hashed.finish()
        self._check_unchanged(os.stat(f"{job.folder}/{self.filename}"))  # noqa: PTH116
        return describe(inspection, name, digests, naming=job.naming, now_ms=job.now_ms)

    def _check_unchanged(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_mtime_ns) != (self._seen.size, self._seen.mtime_ns):
            raise FileChanging(self.filename)

    def _refuse(self, error: Rejected | OSError) -> Refusal:
        """Say why the file is not taken, and drop what was kept of it."""
        if self.kept:
            os.unlink(self.kept)  # noqa: PTH108
            self.kept = ""
        if isinstance(error, OSError):
            error = FileUnreadable(self.filename, error.strerror or str(error))
        return Refusal.of(error)


class HashedFile(io.BufferedIOBase):
    """A file that is hashed by the way: what is read in order from its start need not be read again."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__()
        self._file = file
        self._hashed = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        start = self._file.tell()
        data = self._file.read(-1 if size is None else size)
        if start == self._hashed:
            self._take(data)
        return data

    def _take(self, data: bytes) -> None:
        self._sha256.update(data)
        self._md5.update(data)
        self._hashed += len(data)

    def finish(self) -> Digests:
        """Hash what has not been read yet, and return the hashes of the whole file."""
        self._file.seek(self._hashed)
        while data := self._file.read(_PIECE):
            self._take(data)
        return Digests(self._sha256.hexdigest(), self._md5.hexdigest(), self._hashed)
