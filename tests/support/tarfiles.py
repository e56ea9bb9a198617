"""Tar headers by hand: every field can be given as it should not be (POSIX ustar, pax, GNU)."""

from __future__ import annotations

import struct
from typing import Final

USTAR: Final = b"ustar\x0000"
GNU: Final = b"ustar  \x00"

#: The end mark: two blocks of zeros.
END: Final = bytes(1024)


def header(
    path: bytes | str,
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    target: bytes | str = b"",
    prefix: bytes = b"",
    magic: bytes = USTAR,
    checksum: bytes | None = None,
) -> bytes:
    """Return one header block. ``size`` as bytes is the raw field; a ``checksum`` of ``None`` is the right one."""
    raw_size = size if isinstance(size, bytes) else b"%011o\0" % size
    fields = (
        _raw(path),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        raw_size,
        b"00000000000\0",
        b" " * 8,
        kind,
        _raw(target),
        magic,
        b"",
        b"",
        b"0000000\0",
        b"0000000\0",
        prefix,
    )
    layout = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
    block = layout.pack(*fields)
    right = b"%06o\0 " % sum(block)
    return layout.pack(*fields[:6], right if checksum is None else checksum, *fields[7:])


def member(path: bytes | str, data: bytes = b"", kind: bytes = b"0", **fields: bytes) -> bytes:
    """Return a header and its padded data."""
    return header(path, len(data), kind, **fields) + padded(data)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: tuple[str, str | bytes], kind: bytes = b"x") -> bytes:
    """Return an extended header with these records."""
    return member("PaxHeaders/x", b"".join(pax_record(key, value) for key, value in records), kind)


def pax_record(key: str, value: str | bytes) -> bytes:
    body = b" " + key.encode() + b"=" + _raw(value) + b"\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _raw(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
