"""Stored bytes are read once more before they go into production: are they what they were, and a package in order?

A file of usual size is read into memory, hashed there and inspected there. Of a larger one each block is hashed by
itself as well; what inspection reads again has to be the same, block by block. So the hash is of the very bytes that
were judged, also where somebody changes the file meanwhile, and memory does not grow with it.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from channeld.blobs.durable import disk_errors
from channeld.blobs.local import BlobMissing, Digests, LocalBlobs
from channeld.catalog.channels import Channel
from channeld.catalog.copies import Pin
from channeld.catalog.files import Artifact
from channeld.errors import Rejected
from channeld.formats.names import FileName, Naming

log = logging.getLogger(__name__)

#: Bytes up to which a file is read into memory.
WHOLE_BYTES: Final = 16 * 1024 * 1024
BLOCK_BYTES: Final = 1024 * 1024

#: Says that the work goes on; called every so often while a large file is read.
Beat = Callable[[], None]
#: Inspects a package as an upload is inspected, by some rules for names; raises ``Rejected``.
Examine = Callable[[BinaryIO, FileName, Digests, Naming], Artifact]


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks what is stored of one instance."""

    blobs: LocalBlobs
    examine: Examine
    whole_bytes: int = WHOLE_BYTES

    def problem_of(self, pin: Pin, naming: Naming, beat: Beat) -> str:
        """Say what is wrong with stored bytes, as it stands behind "output … ", or nothing.

        Raises:
            DiskUnavailable: they could not be read now.
        """
        try:
            return self._problem_of(pin, naming, beat)
        except _BlockChanged:
            problem = "has stored bytes that change while they are read"
        except BlobMissing:
            problem = f"has lost its stored bytes (sha256 {pin.sha256})"
        log.error("The stored bytes of an artifact are not what they were: it %s.", problem)
        return problem

    def _problem_of(self, pin: Pin, naming: Naming, beat: Beat) -> str:
        with self.blobs.open(pin.sha256) as stored, disk_errors(self.blobs.path(pin.sha256)):
            file, digests = self._hashed(stored, pin.size, beat)
            if digests != Digests(pin.sha256, pin.md5, pin.size):
                problem = (
                    f"has changed in the store (sha256 {pin.sha256} was stored, {digests.sha256} is there)"
                )
                log.error("The stored bytes of an artifact are not what they were: it %s.", problem)
                return problem
            try:
                artifact = self.examine(file, FileName.parse(pin.filename, naming), digests, naming)
            except Rejected as error:
                return f"does not pass validation: {error.sentence()}"
        if artifact.subdir != pin.subdir:
            return f"says that it belongs to {artifact.subdir}"
        return ""

    def _hashed(self, stored: BinaryIO, size: int, beat: Beat) -> tuple[BinaryIO, Digests]:
        """Return the bytes as a file that can be inspected, and their hashes."""
        if size <= self.whole_bytes:
            data = stored.read(self.whole_bytes + 1)
            beat()
            return io.BytesIO(data), _digests(data)
        blocks = _Blocks(stored)
        return cast(BinaryIO, io.BufferedReader(blocks, BLOCK_BYTES)), blocks.hash(beat)


def naming_of(channel: Channel) -> Naming:
    """Return the rules for names that a channel has."""
    return Naming.LEGACY if channel.settings.legacy == "allow" else Naming.STRICT


def _digests(data: bytes) -> Digests:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Digests(hashlib.sha256(data).hexdigest(), md5, len(data))


class _BlockChanged(Exception):
    """A block is not what it was when it was hashed."""


class _Blocks(io.RawIOBase):
    """A file of which every block that is read is the one that was hashed."""

    def __init__(self, stored: BinaryIO) -> None:
        super().__init__()
        self._stored = stored
        self._hashes: list[bytes] = []
        self._size = 0
        self._position = 0
        self._kept = (-1, b"")

    def hash(self, beat: Beat) -> Digests:
        """Read everything, and remember each block by its hash."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        while block := self._stored.read(BLOCK_BYTES):
            for whole in (sha256, md5):
                whole.update(block)
            self._hashes.append(hashlib.blake2b(block).digest())
            self._size += len(block)
            beat()
        return Digests(sha256.hexdigest(), md5.hexdigest(), self._size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        )
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        number, start = divmod(self._position, BLOCK_BYTES)
        piece = self._block(number)[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, number: int) -> bytes:
        if number >= len(self._hashes):
            return b""
        if self._kept[0] != number:
            self._stored.seek(number * BLOCK_BYTES)
            block = self._stored.read(BLOCK_BYTES)
            if hashlib.blake2b(block).digest() != self._hashes[number]:
                raise _BlockChanged
            self._kept = number, block
        return self._kept[1]
