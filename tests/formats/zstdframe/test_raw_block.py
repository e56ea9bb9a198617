"""Raw blocks carry text between pages as it is."""

from __future__ import annotations

import pytest

from channeld.formats.zstdframe import CorruptPage, raw_block
from channeld.formats.zstdframe.blocks import Block, BlockKind, iter_blocks
from tests.support.zstd_decoders import DECODERS
from tests.support.zstd_documents import framed

LIMIT = 128 * 1024


def test_no_data_is_no_block() -> None:
    assert raw_block(b"") == b""


def test_the_header_says_raw_not_last_and_the_size() -> None:
    assert raw_block(b"{}") == bytes.fromhex("10 00 00") + b"{}"


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(1, [1]), (LIMIT, [LIMIT]), (LIMIT + 1, [LIMIT, 1]), (2 * LIMIT, [LIMIT] * 2)],
)
def test_data_is_cut_at_the_largest_block_size(size: int, sizes: list[int]) -> None:
    data = b"0123456789abcdefg" * (size // 17 + 1)
    data = data[:size]
    blocks = list(iter_blocks(raw_block(data)))

    assert [(block.kind, block.size, block.last) for block in blocks] == [
        (BlockKind.RAW, n, False) for n in sizes
    ]
    document = framed(raw_block(data), data)
    assert {name: decode(document.frame) for name, decode in DECODERS.items()} == dict.fromkeys(
        DECODERS, data
    )


def test_blocks_are_read_from_an_offset_through_the_last_one() -> None:
    data = b"??" + raw_block(b"one") + b"\x01\x00\x00" + raw_block(b"beyond")

    assert list(iter_blocks(data, 2)) == [
        Block(start=2, kind=BlockKind.RAW, size=3, last=False),
        Block(start=8, kind=BlockKind.RAW, size=0, last=True),
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x10\x00", "The block header at byte 0 is cut short after 2 bytes."),
        (b"\x10\x00\x00a", "The block at byte 0 ends at byte 5, but the data ends at byte 4."),
        (b"\x0a\x00\x00", "The block at byte 0 ends at byte 4, but the data ends at byte 3."),
        (b"\x0e\x00\x00a", "The block at byte 0 has the reserved type 3."),
        (b"\x08\x00\x10", "The block at byte 0 has size 131073, over the limit of 131072."),
        (b"\x0c\x00\x00a", "The compressed block at byte 0 has only 1 bytes."),
    ],
)
def test_a_block_that_cannot_be_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(CorruptPage) as caught:
        list(iter_blocks(data))
    assert str(caught.value) == sentence
