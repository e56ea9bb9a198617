"""Decompressed bytes with bounds: one bzip2 stream or one zstd frame, and nothing behind it.

Both yield at most the bytes that ``Limits`` allows for their compressed size, in pieces of bounded size, and refuse
what follows their end: python's bz2 goes on with a second stream and rattler does not, conda reads only the first zstd
frame and rattler all; a file that says different things to different clients is not passed on.
"""

from __future__ import annotations

import bz2
import io
import threading
import zlib
from typing import BinaryIO, Final, Protocol, cast

import zstandard

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.rejections import (
    CompressionBomb,
    PartChecksumMismatch,
    StreamCorrupt,
    StreamNotSingle,
    StreamTooLarge,
    StreamTruncated,
)
from channeld.formats.archive.zipdir import Part
from channeld.formats.archive.zstdscan import BLOCK_SIZE, scan_frame

#: Compressed bytes that are read at a time.
_CHUNK: Final = 128 * 1024
#: A frame that cannot exceed this is decompressed in one go: 24 µs against 70 for a stream.
_AT_ONCE: Final = 4 * 1024 * 1024


class Source(Protocol):
    """Decompressed bytes in order."""

    def read(self, size: int, /) -> bytes:
        """Return at least one byte and at most ``size``; nothing at the end, once all rules are found kept."""


class _Budget:
    """Counts what comes out of one stream against what may."""

    def __init__(self, part: str, compressed_size: int, size_limit: int, limits: Limits) -> None:
        self._part = part
        self._size_limit = size_limit
        self._ratio = limits.ratio
        self._ratio_limit = max(limits.ratio_floor, limits.ratio * compressed_size)
        self._spent = 0

    def spend(self, count: int) -> None:
        self._spent += count
        if self._spent > self._size_limit:
            raise StreamTooLarge(self._part, self._size_limit)
        if self._spent > self._ratio_limit:
            raise CompressionBomb(self._part, self._ratio)


class Bzip2Source:
    """The bytes of a ``.tar.bz2``, which is the whole file."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        self._file = file
        self._budget = _Budget("package", size, limits.tar_size, limits)
        self._decompressor = bz2.BZ2Decompressor()

    def read(self, size: int, /) -> bytes:
        stream = self._decompressor
        while not stream.eof:
            chunk = self._file.read(_CHUNK) if stream.needs_input else b""
            if not chunk and stream.needs_input:
                raise StreamTruncated("package")
            try:
                data = stream.decompress(chunk, size)
            except OSError:
                raise StreamCorrupt("package", "it is no bzip2 stream, or is damaged") from None
            if data:
                self._budget.spend(len(data))
                return data
        if stream.unused_data or self._file.read(1):
            raise StreamNotSingle("package")
        return b""


_per_thread: Final = threading.local()


def read_stored_part(file: BinaryIO, part: Part, limit: int) -> bytes:
    """Return the bytes of a small part of a ``.conda`` as they stand in the zip.

    Raises:
        StreamTooLarge, StreamTruncated, PartChecksumMismatch
    """
    if part.size > limit:
        raise StreamTooLarge(part.name, limit)
    file.seek(part.offset)
    data = file.read(part.size)
    if len(data) != part.size:
        raise StreamTruncated(part.name)
    if zlib.crc32(data) != part.crc:
        raise PartChecksumMismatch(part.name)
    return data


def open_zstd_part(file: BinaryIO, part: Part, limits: Limits) -> Source:
    """Return the bytes of a zstd part of a ``.conda``: exactly one frame, with the CRC-32 that the zip gives.

    Raises:
        BadArchive: it is no single zstd frame, damaged, or larger than allowed.
    """
    budget = _Budget(part.name, part.size, limits.info_size, limits)
    if part.size > _CHUNK:
        return _ZstdStream(file, part, limits, budget)
    data = read_stored_part(file, part, _CHUNK)
    blocks = scan_frame(lambda at, count: data[at : at + count], part.name, part.size, limits.window_size)
    if blocks * BLOCK_SIZE > _AT_ONCE:
        return _ZstdStream(file, part, limits, budget)
    decompressor = _shared_decompressor(limits)
    try:
        if 0 < zstandard.frame_content_size(data) <= blocks * BLOCK_SIZE:
            content = decompressor.decompress(data)  # at once, where the frame says how much it is
        else:
            content = decompressor.decompressobj().decompress(data)
    except zstandard.ZstdError as error:
        raise StreamCorrupt(part.name, str(error)) from None
    budget.spend(len(content))
    return io.BytesIO(content)


def _shared_decompressor(limits: Limits) -> zstandard.ZstdDecompressor:
    """Return this thread's decompressor: making one costs as much as decompressing a usual info part."""
    cached: zstandard.ZstdDecompressor | None = getattr(_per_thread, "decompressor", None)
    if cached is None or _per_thread.window_size != limits.window_size:
        cached = zstandard.ZstdDecompressor(max_window_size=limits.window_size)
        _per_thread.decompressor, _per_thread.window_size = cached, limits.window_size
    return cached


class _ZstdStream:
    """A large part: its frame is scanned first, then decompressed piece by piece."""

    def __init__(self, file: BinaryIO, part: Part, limits: Limits, budget: _Budget) -> None:
        self._part = part
        self._budget = budget
        self._section = _Section(file, part)
        scan_frame(self._section.read_at, part.name, part.size, limits.window_size)
        decompressor = zstandard.ZstdDecompressor(max_window_size=limits.window_size)
        self._reader = decompressor.stream_reader(cast(BinaryIO, self._section), read_size=_CHUNK)

    def read(self, size: int, /) -> bytes:
        try:
            data = self._reader.read(size)
        except zstandard.ZstdError as error:
            raise StreamCorrupt(self._part.name, str(error)) from None
        self._budget.spend(len(data))
        if not data and self._section.crc() != self._part.crc:
            raise PartChecksumMismatch(self._part.name)
        return data


class _Section(io.RawIOBase):
    """The bytes of one part, as a file of its own that knows the CRC-32 of what was read from it in order."""

    def __init__(self, file: BinaryIO, part: Part) -> None:
        super().__init__()
        self._file = file
        self._part = part
        self._position = 0
        self._crc = 0

    def readable(self) -> bool:
        return True

    def read_at(self, position: int, count: int, /) -> bytes:
        """Return bytes from anywhere in the part, apart from the order of ``read``."""
        self._file.seek(self._part.offset + position)
        return self._file.read(min(count, self._part.size - position))

    def read(self, size: int = -1, /) -> bytes:
        left = self._part.size - self._position
        data = self.read_at(self._position, left if size < 0 else min(size, left))
        if not data and left:
            raise StreamTruncated(self._part.name)
        self._position += len(data)
        self._crc = zlib.crc32(data, self._crc)
        return data

    def crc(self) -> int:
        """Return the CRC-32 of the whole part, reading what the decompressor has left."""
        while self._position < self._part.size:
            self.read(_CHUNK)
        return self._crc
