"""The outline of a zstd stream, without decompressing it: one frame, from first byte to last (RFC 8878).

A stream may hold several frames (3.1) and skippable ones (3.1.2). Of the parts of a ``.conda``, conda reads the first
frame and rattler all of them, so there must be one. Walking its block headers also tells the most that it can yield.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from channeld.formats.archive.rejections import (
    StreamCorrupt,
    StreamNotSingle,
    StreamTruncated,
    StreamWindowTooLarge,
)

#: The most that one block can yield, in bytes (RFC 8878, 3.1.1.2.4).
BLOCK_SIZE: Final = 128 * 1024
#: The most blocks that are walked: 8 GiB of full ones. Only an attack on this loop has more.
_BLOCK_LIMIT: Final = 65_536

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_RLE: Final = 1
_RESERVED: Final = 3


#: Returns the bytes at a position of the stream: as many as asked for, or fewer at its end.
ReadAt = Callable[[int, int], bytes]


def scan_frame(read_at: ReadAt, part: str, size: int, window_limit: int) -> int:
    """Return how many blocks a stream of ``size`` bytes has, which must be exactly one frame.

    Raises:
        StreamCorrupt, StreamTruncated, StreamNotSingle, StreamWindowTooLarge
    """
    header = read_at(0, 18)
    if len(header) < 6 or header[:4] != _MAGIC:
        raise StreamCorrupt(part, "it does not begin with a zstd frame")
    position = _header_size(header, part, window_limit)
    descriptor = header[4]
    blocks = 0
    last = False
    while not last:
        if blocks == _BLOCK_LIMIT:
            raise StreamCorrupt(part, f"it has more than {_BLOCK_LIMIT} blocks")
        head = read_at(position, 3)
        if len(head) < 3:
            raise StreamTruncated(part)
        value = int.from_bytes(head, "little")
        last, kind, length = bool(value & 1), value >> 1 & 3, value >> 3
        if kind == _RESERVED or length > BLOCK_SIZE:
            raise StreamCorrupt(part, f"block {blocks} of its zstd frame is malformed")
        position += 3 + (1 if kind == _RLE else length)
        blocks += 1
    position += 4 if descriptor & 4 else 0
    if position > size:
        raise StreamTruncated(part)
    if position < size:
        raise StreamNotSingle(part)
    return blocks


def _header_size(header: bytes, part: str, window_limit: int) -> int:
    """Return the length of the frame header (RFC 8878, 3.1.1.1), whose window must be within the limit."""
    descriptor = header[4]
    single_segment = bool(descriptor & 0x20)
    if descriptor & 0x0B:
        raise StreamCorrupt(part, "its zstd frame needs a dictionary or uses reserved bits")
    size_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    length = 5 + (0 if single_segment else 1) + size_bytes
    if len(header) < length:
        raise StreamTruncated(part)
    if single_segment:
        content = int.from_bytes(header[5:length], "little")
        window = content + 256 if size_bytes == 2 else content
    else:
        base = 1 << (10 + (header[5] >> 3))
        window = base + (base >> 3) * (header[5] & 7)
    if window > window_limit:
        raise StreamWindowTooLarge(part, window, window_limit)
    return length
