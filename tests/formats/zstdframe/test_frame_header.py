"""The header has one width and one window for every document."""

from __future__ import annotations

import pytest
import zstandard

from channeld.formats.zstdframe import END, frame_header


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 2**32 - 1, 2**32, 2**40])
def test_the_header_is_fourteen_bytes_and_says_what_it_should(size: int) -> None:
    header = frame_header(size)
    read = zstandard.get_frame_parameters(header)

    assert header == bytes.fromhex("28 b5 2f fd c0 68") + size.to_bytes(8, "little")
    assert (read.content_size, read.window_size, read.dict_id, read.has_checksum) == (size, 8 << 20, 0, False)


def test_the_end_is_an_empty_last_raw_block() -> None:
    assert END == b"\x01\x00\x00"
    assert zstandard.decompress(frame_header(0) + END) == b""


@pytest.mark.parametrize("size", [-1, 2**64])
def test_a_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(OverflowError):
        frame_header(size)
