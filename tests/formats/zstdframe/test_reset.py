"""Between two pages the decoder's repeat offsets become 1, 4 and 8 again, whatever they were (RFC 8878, 3.1.1.5)."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channeld.formats.zstdframe import RESET, RESET_WITH_COMMA, Splice, compress_page, raw_block
from channeld.formats.zstdframe.blocks import Block, BlockKind, iter_blocks
from tests.support.zstd_decoders import DECODERS
from tests.support.zstd_documents import EAGER_STARTS, ODD_END, Document, framed, sequence_block

SPLICES = pytest.mark.parametrize("splice", [RESET, RESET_WITH_COMMA], ids=["reset", "reset with comma"])

# No byte twice, so that what a match copied tells how far back it reached.
GROUND = bytes(range(256))
PROBE = bytes(range(100, 200))


def with_history(offsets: tuple[int, ...]) -> tuple[bytes, bytes]:
    """Return blocks that leave these offsets in the history, the last one in front, and what they decode to."""
    blocks, text = raw_block(GROUND), GROUND
    for offset in offsets:
        blocks += sequence_block(b"", offset + 3)
        text = copied(text, offset)
    return blocks, text


def copied(text: bytes, offset: int) -> bytes:
    for _ in range(3):
        text += text[-offset : len(text) - offset + 1]
    return text


def probed(blocks: bytes, text: bytes, offset_value: int, offset: int) -> Document:
    """Add a block that copies by the repeat offset of that number; its text is right if that is this offset."""
    blocks += raw_block(PROBE) + sequence_block(b"!", offset_value)
    return framed(blocks, copied(text + PROBE + b"!", offset))


@SPLICES
@settings(max_examples=60, deadline=None)
@given(offsets=st.tuples(*[st.integers(1, 250)] * 3))
@example(offsets=(1, 4, 8))
@example(offsets=(8, 4, 1))
@example(offsets=(5, 5, 5))
def test_the_history_is_one_four_eight_after_a_splice(splice: Splice, offsets: tuple[int, int, int]) -> None:
    blocks, text = with_history(offsets)
    blocks, text = blocks + splice.encoded, text + splice.decoded

    for offset_value, offset in enumerate((1, 4, 8), start=1):
        document = probed(blocks, text, offset_value, offset)
        for name, decode in DECODERS.items():
            assert decode(document.frame) == document.text, name


@settings(max_examples=60, deadline=None)
@given(offsets=st.tuples(*[st.integers(1, 99)] * 3))
def test_without_a_splice_the_history_is_what_the_page_left(offsets: tuple[int, int, int]) -> None:
    blocks, text = with_history(offsets)

    for offset_value, offset in enumerate(reversed(offsets), start=1):
        document = probed(blocks, text, offset_value, offset)
        assert zstandard.decompress(document.frame) == document.text


@pytest.mark.parametrize("level", range(16, 20))
@pytest.mark.parametrize("raw", EAGER_STARTS, ids=["1 back", "4 back", "8 back"])
def test_without_a_splice_a_page_that_begins_with_repeats_decodes_wrongly(raw: bytes, level: int) -> None:
    before, page = compress_page(ODD_END, level), compress_page(raw, level)
    bare = framed(before + page, ODD_END + raw)
    spliced = framed(before + RESET.encoded + page, ODD_END + RESET.decoded + raw)

    assert decoded_or_none(bare.frame) != bare.text
    assert decoded_or_none(spliced.frame) == spliced.text


def decoded_or_none(frame: bytes) -> bytes | None:
    try:
        return zstandard.decompress(frame)
    except zstandard.ZstdError:
        return None


@SPLICES
def test_splices_follow_each_other_and_open_a_frame(splice: Splice) -> None:
    document = framed(splice.encoded * 3, splice.decoded * 3)

    for name, decode in DECODERS.items():
        assert decode(document.frame) == document.text, name


def test_the_text_is_white_space_with_a_comma_first_where_one_is_due() -> None:
    assert RESET.decoded == b"\n" + b" " * 17
    assert RESET_WITH_COMMA.decoded == b",\n" + b" " * 17
    assert json.loads(b"[" + RESET.decoded + b"1" + RESET_WITH_COMMA.decoded + b"2]") == [1, 2]


@SPLICES
def test_no_compressed_block_of_a_splice_is_as_large_as_what_it_decodes_to(splice: Splice) -> None:
    raw, compressed = iter_blocks(splice.encoded)

    assert raw == Block(start=0, kind=BlockKind.RAW, size=len(splice.decoded) - 9, last=False)
    assert compressed == Block(start=raw.end, kind=BlockKind.COMPRESSED, size=8, last=False)
    assert compressed.end == len(splice.encoded)


def test_the_compressed_block_follows_from_the_tables_of_the_rfc() -> None:
    table = predefined_offset_table()
    states = {code: [state for state, row in enumerate(table) if row == (code, 5, 0)] for code in (2, 3)}
    (of_code_2,), (of_code_3,) = states[2], states[3]
    # As they are read: a state, then as many extra bits as its code says.
    fields = [(of_code_3, 5), (0b011, 3), (of_code_2, 5), (0b11, 2), (of_code_2, 5), (0b00, 2)]
    bits = int("1" + "".join(f"{value:0{width}b}" for value, width in fields), 2)
    content = bytes.fromhex("00 03 44 00 00") + bits.to_bytes(3, "little")

    for splice in (RESET, RESET_WITH_COMMA):
        assert splice.encoded.endswith(bytes.fromhex("44 00 00") + content)


def predefined_offset_table() -> list[tuple[int, int, int]]:
    """Build (code, bits, base) by state from the default distribution (RFC 8878, 3.1.1.3.2.2.3 and 4.1.1)."""
    distribution = [1, 1, 1, 1, 1, 1, 2, 2, 2, *[1] * 15, *[-1] * 5]
    log, size = 5, 32
    codes = [-1] * size
    high = size
    for code, share in enumerate(distribution):
        if share == -1:
            high -= 1
            codes[high] = code
    position = 0
    for code, share in enumerate(distribution):
        for _ in range(max(share, 0)):
            codes[position] = code
            position = (position + (size >> 1) + (size >> 3) + 3) % size
            while position >= high:
                position = (position + (size >> 1) + (size >> 3) + 3) % size
    following = [abs(share) for share in distribution]
    table = []
    for code in codes:
        share = following[code]
        following[code] += 1
        width = log - (share.bit_length() - 1)
        table.append((code, width, (share << width) - size))
    assert table[:2] == [(0, 5, 0), (6, 4, 0)]
    assert all(first[0] == second[0] + 1 for first, second in pairwise(table[27:]))
    return table
