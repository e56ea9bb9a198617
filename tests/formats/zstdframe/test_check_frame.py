"""The check of a frame's structure finds every way in which it is not exactly one of our frames."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.zstdframe import CorruptPage, check_frame, frame_header, raw_block
from channeld.formats.zstdframe.blocks import BlockKind, block_header
from tests.support.zstd_documents import ODD_END, Page, splice

DOCUMENT = splice([[Page(ODD_END, 3)] * 3, [Page(b"page", 3)]])
FRAME, SIZE = DOCUMENT.frame, len(DOCUMENT.text)


def sentence_for(data: bytes, size: int = SIZE) -> str:
    with pytest.raises(CorruptPage) as caught:
        check_frame(data, size)
    return str(caught.value)


def test_a_spliced_document_passes_as_bytes_and_as_a_view() -> None:
    check_frame(FRAME, SIZE)
    check_frame(memoryview(FRAME), SIZE)


def test_the_frame_header_is_checked_field_by_field() -> None:
    assert sentence_for(FRAME[:13]) == "The frame header is cut short: 13 bytes of 14."
    assert (
        sentence_for(b"\x50\x2a\x4d\x18\x00\x00\x00\x00" + FRAME)
        == "The data begins with 50 2a 4d 18, not with a zstd frame's 28 b5 2f fd."
    )
    assert sentence_for(FRAME[:4] + b"\xc4" + FRAME[5:]) == (
        "The frame header descriptor is 0xc4, not 0xc0:"
        " a window, 8 bytes of content size, no checksum and no dictionary."
    )
    assert (
        sentence_for(FRAME[:5] + b"\x70" + FRAME[6:]) == "The window descriptor is 0x70, not 0x68 for 8 MiB."
    )


def test_another_size_than_expected_is_refused() -> None:
    assert (
        sentence_for(FRAME, SIZE + 1)
        == f"The frame header gives {SIZE} bytes of content, but it must hold {SIZE + 1}."
    )


def test_what_follows_the_frame_is_refused() -> None:
    assert (
        sentence_for(FRAME + FRAME)
        == f"The frame ends at byte {len(FRAME)}, but {len(FRAME)} bytes follow it."
    )


def test_a_frame_without_a_last_block_is_refused() -> None:
    assert sentence_for(FRAME[:-3]) == f"The frame has no last block; its data ends at byte {len(FRAME) - 3}."
    assert sentence_for(frame_header(0), 0) == "The frame has no last block; its data ends at byte 14."


def test_blocks_that_cannot_hold_the_size_are_refused() -> None:
    large = frame_header(9) + raw_block(b"0123456789") + b"\x01\x00\x00"
    small = frame_header(9) + block_header(BlockKind.RLE, 8) + b"0" + b"\x01\x00\x00"

    assert sentence_for(large, 9) == "The blocks hold 10 to 10 bytes, but the frame must hold 9."
    assert sentence_for(small, 9) == "The blocks hold 8 to 8 bytes, but the frame must hold 9."


@settings(deadline=None)
@given(st.integers(0, len(FRAME) - 1))
def test_a_frame_cut_anywhere_is_refused(end: int) -> None:
    with pytest.raises(CorruptPage):
        check_frame(FRAME[:end], SIZE)


def test_an_ordinary_frame_is_not_taken_for_a_spliced_one() -> None:
    with pytest.raises(CorruptPage, match=r"^The frame header descriptor is 0x"):
        check_frame(zstandard.compress(DOCUMENT.text), SIZE)
