"""A page is given back whole or refused, and never costs more memory than it claims."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.zstdframe import (
    END,
    MAX_PAGE_SIZE,
    CorruptPage,
    compress_page,
    decompress_page,
    raw_block,
)
from channeld.formats.zstdframe.blocks import BlockKind, block_header
from tests.support.zstd_documents import record_entries, render, sequence_block

RAW = render(record_entries(50, seed=3))
BLOCKS = compress_page(RAW, 9)


def test_a_page_comes_back() -> None:
    assert decompress_page(BLOCKS, len(RAW)) == RAW
    assert decompress_page(b"", 0) == b""


@pytest.mark.parametrize("off_by", [-len(RAW), -1_000, -1, 1, 1_000])
def test_another_size_than_the_pages_own_is_refused(off_by: int) -> None:
    with pytest.raises(CorruptPage):
        decompress_page(BLOCKS, len(RAW) + off_by)


@pytest.mark.parametrize("size", [-1, MAX_PAGE_SIZE + 1, 2**63])
def test_a_size_that_no_page_has_is_refused_at_once(size: int) -> None:
    with pytest.raises(CorruptPage, match=rf"^A page has 0 to 8388608 bytes, and this one claims {size}\.$"):
        decompress_page(BLOCKS, size)


def test_no_blocks_for_a_page_that_claims_bytes_is_refused() -> None:
    with pytest.raises(CorruptPage, match=r"^The page claims 5 bytes, but has 0 bytes of blocks\.$"):
        decompress_page(b"", 5)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(BLOCKS) - 1))
def test_a_page_cut_short_is_refused(end: int) -> None:
    with pytest.raises(CorruptPage):
        decompress_page(BLOCKS[:end], len(RAW))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(BLOCKS) - 1), st.integers(0, 7))
def test_a_damaged_page_is_refused_or_has_the_right_size(at: int, bit: int) -> None:
    damaged = bytearray(BLOCKS)
    damaged[at] ^= 1 << bit
    try:
        raw = decompress_page(bytes(damaged), len(RAW))
    except CorruptPage:
        return
    assert len(raw) == len(RAW)


def test_blocks_after_an_end_of_frame_are_refused() -> None:
    page = raw_block(b"page")

    with pytest.raises(
        CorruptPage, match=r"^The block at byte 7 of the page is marked as the last of a frame\.$"
    ):
        decompress_page(page + END, 4)
    with pytest.raises(
        CorruptPage, match=r"^The block at byte 0 of the page is marked as the last of a frame\.$"
    ):
        decompress_page(END + page, 4)


def test_a_page_that_reaches_back_beyond_its_own_start_is_refused() -> None:
    with pytest.raises(CorruptPage):
        decompress_page(sequence_block(b"ab", offset_value=3 + 3), 5)


def test_a_bomb_is_refused_without_being_decoded() -> None:
    bomb = (block_header(BlockKind.RLE, 128 * 1024) + b"0") * 10_000
    tracemalloc.start()
    try:
        with pytest.raises(CorruptPage, match=r"^The page does not decode to 10 bytes: "):
            decompress_page(bomb, 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000
    assert issubclass(CorruptPage, ValueError)
