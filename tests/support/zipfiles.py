"""A zip writer that lies on demand: every field of every header can be given by hand (APPNOTE.TXT 6.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STORED = 0
DEFLATED = 8
_UINT32_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member and its two headers. What is ``None`` is filled in truthfully; both headers say the same by default.

    ``local_*`` fields make the local header (APPNOTE 4.3.7) differ from the central one (4.3.12).
    ``zip64_local`` and ``zip64_central`` move that header's sizes into a zip64 extra field (4.5.3).
    """

    name: str | bytes
    data: bytes
    method: int = STORED
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    compressed_size: int | None = None
    offset: int | None = None
    extra: bytes = b""
    comment: bytes = b""
    disk: int = 0
    local_name: str | bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_crc: int | None = None
    local_size: int | None = None
    local_compressed_size: int | None = None
    local_extra: bytes = b""
    zip64_local: bool = False
    zip64_central: bool = False
    gap_before: bytes = b""

    @property
    def stored(self) -> bytes:
        """The bytes in the file: the data as it is, or deflated."""
        if self.method != DEFLATED:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()


@dataclass(frozen=True, slots=True)
class ZipTail:
    """What follows the members: fields of the end record (4.3.16), and bytes where none belong."""

    comment: bytes = b""
    prefix: bytes = b""
    suffix: bytes = b""
    before_directory: bytes = b""
    count: int | None = None
    directory_size: int | None = None
    directory_offset: int | None = None
    disk: int = 0
    zip64: bool = False


def zip_bytes(members: Sequence[ZipMember], tail: ZipTail | None = None) -> bytes:
    """Write a zip file."""
    tail = tail or ZipTail()
    out = bytearray(tail.prefix)
    directory = bytearray()
    for member in members:
        out += member.gap_before
        directory += _central(member, len(out))
        out += _local(member) + member.stored
    out += tail.before_directory
    start = len(out)
    out += directory
    out += _end(tail, len(members), len(directory), start, len(out))
    return bytes(out + tail.suffix)


def _raw(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode()


def _pick(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _local(member: ZipMember) -> bytes:
    name = _raw(member.name if member.local_name is None else member.local_name)
    stored = len(member.stored)
    compressed = _pick(member.local_compressed_size, member.compressed_size, stored)
    size = _pick(member.local_size, member.size, len(member.data))
    extra = member.local_extra
    if member.zip64_local:
        extra += struct.pack("<HHQQ", 1, 16, size, compressed)
        size = compressed = _UINT32_MAX
    return (
        struct.pack(
            "<4s5H3I2H",
            b"PK\x03\x04",
            45 if member.zip64_local else 20,
            _pick(member.local_flags, member.flags),
            _pick(member.local_method, member.method),
            0,
            0x21,
            _pick(member.local_crc, member.crc, zlib.crc32(member.data)),
            compressed,
            size,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def _central(member: ZipMember, here: int) -> bytes:
    name = _raw(member.name)
    compressed = _pick(member.compressed_size, len(member.stored))
    size = _pick(member.size, len(member.data))
    extra = member.extra
    if member.zip64_central:
        extra += struct.pack("<HHQQ", 1, 16, size, compressed)
        size = compressed = _UINT32_MAX
    return (
        struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            0x0314,
            45 if member.zip64_central else 20,
            member.flags,
            member.method,
            0,
            0x21,
            _pick(member.crc, zlib.crc32(member.data)),
            compressed,
            size,
            len(name),
            len(extra),
            len(member.comment),
            member.disk,
            0,
            0o100644 << 16,
            _pick(member.offset, here),
        )
        + name
        + extra
        + member.comment
    )


def _end(tail: ZipTail, members: int, size: int, start: int, here: int) -> bytes:
    count = _pick(tail.count, members)
    size = _pick(tail.directory_size, size)
    start = _pick(tail.directory_offset, start)
    out = b""
    if tail.zip64:
        record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
        out = record + struct.pack("<4sIQI", b"PK\x06\x07", 0, here, 1)
        count, size, start = 0xFFFF, _UINT32_MAX, _UINT32_MAX
    return (
        out
        + struct.pack(
            "<4s4H2IH", b"PK\x05\x06", tail.disk, tail.disk, count, count, size, start, len(tail.comment)
        )
        + tail.comment
    )
