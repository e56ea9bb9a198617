"""The frame around the pages: its header, its end, and a check of the whole structure (RFC 8878, 3.1.1)."""

from __future__ import annotations

from channeld.formats.zstdframe.blocks import MAX_BLOCK_SIZE, BlockKind, CorruptPage, iter_blocks

#: 8 MiB, what every decoder of the content coding must support (RFC 9659, 3); larger than any offset within a page.
WINDOW_SIZE = 8 * 1024 * 1024

_MAGIC = (0xFD2FB528).to_bytes(4, "little")

# Frame_Header_Descriptor (RFC 8878, 3.1.1.1.1): bits 7-6 Frame_Content_Size_Flag 3, that is 8 bytes; bit 5
# Single_Segment_Flag 0, so a window descriptor follows; bit 2 Content_Checksum_Flag 0; bits 1-0
# Dictionary_ID_Flag 0. Eight bytes even for a small size, as the RFC allows (3.1.1.1.4): the header's width
# never changes, so a document that grows does not shift its pages by it.
_DESCRIPTOR = 0b11_0_0_0_0_00

# Window_Descriptor (3.1.1.1.2): bits 7-3 Exponent, the window is 2 to the power of 10 + Exponent; bits 2-0 Mantissa 0.
_WINDOW_DESCRIPTOR = (WINDOW_SIZE.bit_length() - 1 - 10) << 3

_PREFIX = _MAGIC + bytes((_DESCRIPTOR, _WINDOW_DESCRIPTOR))
_SIZE_WIDTH = 8

#: Bytes that ``frame_header`` returns, whatever the size.
FRAME_HEADER_SIZE = len(_PREFIX) + _SIZE_WIDTH

#: What closes a frame: an empty raw block with the last-block bit (RFC 8878, 3.1.1.2.1). No checksum follows.
END = b"\x01\x00\x00"


def frame_header(content_size: int) -> bytes:
    """Return the 14 bytes that open a frame of content_size decoded bytes, with an 8 MiB window.

    Raises OverflowError for a size that is negative or does not fit into 64 bits.
    """
    return _PREFIX + content_size.to_bytes(_SIZE_WIDTH, "little")


def check_frame(data: bytes | memoryview, expected_size: int) -> None:
    """Check that data is exactly one frame with the header of ``frame_header`` and nothing before or after it.

    expected_size is the number of bytes that it must decode to. Block contents are not decoded, so a compressed block
    counts as anything from 0 to 128 KiB in the comparison with it. Raises CorruptPage.
    """
    _check_header(data, expected_size)
    least = most = 0
    end, closed = FRAME_HEADER_SIZE, False
    for block in iter_blocks(data, FRAME_HEADER_SIZE):
        compressed = block.kind is BlockKind.COMPRESSED
        least += 0 if compressed else block.size
        most += MAX_BLOCK_SIZE if compressed else block.size
        end, closed = block.end, block.last
    if not closed:
        raise CorruptPage(f"The frame has no last block; its data ends at byte {end}.")
    if end != len(data):
        raise CorruptPage(f"The frame ends at byte {end}, but {len(data) - end} bytes follow it.")
    if not least <= expected_size <= most:
        raise CorruptPage(
            f"The blocks hold {least} to {most} bytes, but the frame must hold {expected_size}."
        )


def _check_header(data: bytes | memoryview, expected_size: int) -> None:
    if len(data) < FRAME_HEADER_SIZE:
        raise CorruptPage(f"The frame header is cut short: {len(data)} bytes of {FRAME_HEADER_SIZE}.")
    magic, descriptor, window = bytes(data[:4]), data[4], data[5]
    if magic != _MAGIC:
        raise CorruptPage(
            f"The data begins with {magic.hex(' ')}, not with a zstd frame's {_MAGIC.hex(' ')}."
        )
    if descriptor != _DESCRIPTOR:
        raise CorruptPage(
            f"The frame header descriptor is {descriptor:#04x}, not {_DESCRIPTOR:#04x}: a window, 8 bytes of content"
            " size, no checksum and no dictionary."
        )
    if window != _WINDOW_DESCRIPTOR:
        raise CorruptPage(f"The window descriptor is {window:#04x}, not {_WINDOW_DESCRIPTOR:#04x} for 8 MiB.")
    size = int.from_bytes(data[len(_PREFIX) : FRAME_HEADER_SIZE], "little")
    if size != expected_size:
        raise CorruptPage(
            f"The frame header gives {size} bytes of content, but it must hold {expected_size}."
        )
