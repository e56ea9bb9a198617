"""The bytes between two pages that bring the decoder's repeat offsets back to 1, 4 and 8 (RFC 8878, 3.1.1.5).

A page was compressed by an encoder that took the repeat offsets to be 1, 4 and 8, as they are at the start of a frame
(3.1.1.5). In a spliced frame they are whatever the page before left. Only the sequences of a compressed block change
them, and a sequence copies at least three bytes, so a reset has to decode to something: JSON white space.

A splice is two blocks. A raw block brings the text: a newline, with a comma before it where one is due, and then
eight spaces. A compressed block follows with three sequences, which copy three bytes each from 8, then 4, then 1 bytes
back. That makes nine more spaces, since none of them reaches back beyond those eight; and each offset, given as itself
and not as a repeat, goes to the front of the history, which then is 1, 4, 8 whatever it was before.

One compressed block is enough because the offset codes use the predefined table. With an RLE table every sequence has
one and the same offset code, but offset 8 is code 3, and 4 and 1 are code 2: that would take two blocks.

The text does not go into the literals of the compressed block, because that block would be larger than what it decodes
to: RFC 8478, 3.1.1.2.3, forbade such blocks, and although erratum 5786 dropped that, a decoder may still hold to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from channeld.formats.zstdframe.blocks import BlockKind, block_header, raw_block

# Oldest first: what is used last is Repeated_Offset1.
_OFFSETS = (8, 4, 1)

# Match_Length_Code 0, the shortest match, is three bytes (RFC 8878, 3.1.1.3.2.1.1).
_MATCH_LENGTH = 3

# As many as the longest offset reaches back.
_SPACES = b" " * max(_OFFSETS)

# States of the predefined decoding table for offset codes (RFC 8878, appendix A.3) that stand for codes 2 and 3. Each
# code has this one state, and both read 5 bits with base 0 for the next state: any state can follow.
_STATE_OF_OFFSET_CODE = {2: 14, 3: 5}
_STATE_BITS = 5


@dataclass(frozen=True, slots=True)
class Splice:
    """Constant bytes between two pages: as they stand in the frame, and what they decode to."""

    encoded: bytes
    decoded: bytes


def _sequence_bits() -> bytes:
    """Return the bitstream of the three sequences; it is read backward, from its highest bit (RFC 8878, 3.1.1.3.2.1.2).

    An offset that is not a repeat offset is coded as offset + 3 (3.1.1.4): 11, 7, 4. Such a value is code n and n extra
    bits: 2 to the power of n, plus the extra bits (3.1.1.3.2.1.1). So 11 is code 3 with 011, 7 is code 2 with 11, 4 is
    code 2 with 00. Values above 3 mean the same at literals length 0, where 1 to 3 shift their meaning (3.1.1.5).
    The literals length and match length tables are RLE: their states and their codes take no bits at all.
    """
    bits = 1  # the end mark, which is read first and skipped
    for offset in _OFFSETS:
        value = offset + 3
        code = value.bit_length() - 1
        bits = bits << _STATE_BITS | _STATE_OF_OFFSET_CODE[code]
        bits = bits << code | value - (1 << code)
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def _compressed_block() -> bytes:
    """Return the block of three sequences, 44 00 00 | 00 | 03 44 00 00 | b8 dd 4a, which decodes to nine bytes.

    ========  =====================================================================================================
    44 00 00  block header: bit 0 last 0, bits 1-2 type 2 (compressed), bits 3-23 size 8 (3.1.1.2)
    00        literals section header: bits 0-1 type 0 (raw), bit 2 size format 0, bits 3-7 size 0 (3.1.1.3.1)
    03        number of sequences (3.1.1.3.2.1)
    44        symbol compression modes, two bits each from the highest: literals lengths 1 (RLE), offsets 0
              (predefined), match lengths 1 (RLE), reserved 0
    00        the literals length code of all sequences: 0, no literals
    00        the match length code of all sequences: 0, three bytes
    b8 dd 4a  the bitstream, from the highest bit of its last byte: 0 padding, 1 end mark,
              00101 state 5, code 3;   011 extra bits, 8 + 3 = 11, offset 8
              01110 state 14, code 2;  11 extra bits, 4 + 3 = 7, offset 4
              01110 state 14, code 2;  00 extra bits, 4 + 0 = 4, offset 1
    ========  =====================================================================================================
    """
    literals = bytes((0,))
    sequences_header = bytes((len(_OFFSETS), 0b01_00_01_00, 0, _MATCH_LENGTH - 3))
    content = literals + sequences_header + _sequence_bits()
    return block_header(BlockKind.COMPRESSED, len(content)) + content


def _splice(text: bytes) -> Splice:
    decoded = text + _SPACES + b" " * (_MATCH_LENGTH * len(_OFFSETS))
    return Splice(encoded=raw_block(text + _SPACES) + _compressed_block(), decoded=decoded)


#: A newline and 17 spaces: for a page that begins where no comma is due, such as the first of a map.
RESET = _splice(b"\n")

#: A comma, a newline and 17 spaces: for a page that goes on where the one before stopped.
RESET_WITH_COMMA = _splice(b",\n")
