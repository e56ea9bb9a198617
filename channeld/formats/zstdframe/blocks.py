"""The blocks of a zstd frame: their headers read and written, and raw ones made (RFC 8878, 3.1.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The most bytes that a block holds or decodes to: 128 KiB, as the window is larger (RFC 8878, 3.1.1.2.4).
MAX_BLOCK_SIZE = 128 * 1024

BLOCK_HEADER_SIZE = 3

_RESERVED_KIND = 3

# One byte at least of literals section header and one of sequences section header (RFC 8878, 3.1.1.3).
_MIN_COMPRESSED_SIZE = 2


class CorruptPage(ValueError):
    """Stored or spliced zstd bytes are not what they must be. The message is one sentence that says where and how."""


class BlockKind(IntEnum):
    """``Block_Type`` (RFC 8878, 3.1.1.2.2); 3 is reserved."""

    RAW = 0
    RLE = 1
    COMPRESSED = 2


@dataclass(frozen=True, slots=True)
class Block:
    """Where one block lies, and what its header says."""

    #: Offset of the block's header in the bytes it was read from.
    start: int
    kind: BlockKind
    #: ``Block_Size``: bytes that follow the header, but for an RLE block the number of times its one byte is repeated.
    size: int
    #: ``Last_Block``: the frame ends with this block.
    last: bool

    @property
    def end(self) -> int:
        """Offset of the first byte after the block."""
        return self.start + BLOCK_HEADER_SIZE + (1 if self.kind is BlockKind.RLE else self.size)


def block_header(kind: BlockKind, size: int) -> bytes:
    """Return the three header bytes of a block that is not the last: bit 0 last, bits 1-2 type, bits 3-23 size."""
    return (size << 3 | kind << 1).to_bytes(BLOCK_HEADER_SIZE, "little")


def raw_block(data: bytes) -> bytes:
    """Return data as raw blocks of 128 KiB at most, none of them the last; no data is no block.

    Raw blocks leave the decoder's repeat offsets and entropy tables as they are (RFC 8878, 3.1.1.5), so they may stand
    anywhere between pages.
    """
    parts: list[bytes] = []
    for start in range(0, len(data), MAX_BLOCK_SIZE):
        part = data[start : start + MAX_BLOCK_SIZE]
        parts += (block_header(BlockKind.RAW, len(part)), part)
    return b"".join(parts)


def iter_blocks(data: bytes | bytearray | memoryview, offset: int = 0) -> Iterator[Block]:
    """Yield the blocks in data from offset on, to the end of data or through the first block marked as the last.

    Raises CorruptPage for a block that is cut short, reserved, too small or too large. Contents are not decoded.
    """
    position = offset
    while position < len(data):
        block = _read_block(data, position)
        if block.end > len(data):
            raise CorruptPage(
                f"The block at byte {position} ends at byte {block.end}, but the data ends at byte {len(data)}."
            )
        yield block
        if block.last:
            return
        position = block.end


def _read_block(data: bytes | bytearray | memoryview, position: int) -> Block:
    header = data[position : position + BLOCK_HEADER_SIZE]
    if len(header) < BLOCK_HEADER_SIZE:
        raise CorruptPage(f"The block header at byte {position} is cut short after {len(header)} bytes.")
    value = int.from_bytes(header, "little")
    kind, size = value >> 1 & 0b11, value >> 3
    if kind == _RESERVED_KIND:
        raise CorruptPage(f"The block at byte {position} has the reserved type {kind}.")
    if size > MAX_BLOCK_SIZE:
        raise CorruptPage(
            f"The block at byte {position} has size {size}, over the limit of {MAX_BLOCK_SIZE}."
        )
    if kind == BlockKind.COMPRESSED and size < _MIN_COMPRESSED_SIZE:
        raise CorruptPage(f"The compressed block at byte {position} has only {size} bytes.")
    return Block(start=position, kind=BlockKind(kind), size=size, last=bool(value & 1))
