"""One bzip2 stream or one zstd frame, whole, and nothing behind it (RFC 8878)."""

from __future__ import annotations

import bz2
import struct

import pytest
import zstandard

from channeld.formats.archive.rejections import (
    StreamCorrupt,
    StreamNotSingle,
    StreamTruncated,
    StreamWindowTooLarge,
)
from channeld.formats.rejections import BadArchive
from tests.support.archives import INFO, PAYLOAD, TAR_BZ2, conda_of_info, inspect
from tests.support.packages import TarMember, build_tar_bz2, tar_bytes, zstd

TAR = tar_bytes(INFO)
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"


def large_tar() -> bytes:
    """A tar whose compressed form takes the way of streams: more than 128 KiB."""
    import random

    return tar_bytes([TarMember("info/test/noise", random.Random(1).randbytes(300_000)), *INFO])


def test_an_info_part_may_not_be_cut_off() -> None:
    for tar in (TAR, large_tar()):
        part = zstd(tar)
        for length in (0, 3, 4, 5, 6, 8, 9, len(part) // 2, len(part) - 5, len(part) - 1):
            with pytest.raises((StreamTruncated, StreamCorrupt)):
                inspect(conda_of_info(part[:length]))


@pytest.mark.parametrize(
    "more",
    [b"x", b"\0" * 100, zstd(b""), zstd(TAR), SKIPPABLE],
    ids=["byte", "zeros", "empty", "frame", "skippable"],
)
def test_nothing_may_follow_the_frame(more: bytes) -> None:
    for tar in (TAR, large_tar()):
        with pytest.raises(StreamNotSingle):
            inspect(conda_of_info(zstd(tar) + more))


def test_a_tar_in_two_frames_is_refused() -> None:
    with pytest.raises(StreamNotSingle):
        inspect(conda_of_info(zstd(TAR[:1024]) + zstd(TAR[1024:])))


@pytest.mark.parametrize(
    "part",
    [SKIPPABLE + zstd(TAR), TAR, bz2.compress(TAR), b"\x1f\x8b\x08\0\0\0\0", b"\x28\xb5\x2f\xfd\x08\0\0\0\0"],
    ids=["skippable", "tar", "bzip2", "gzip", "reserved bit"],
)
def test_an_info_part_has_to_be_a_zstd_frame(part: bytes) -> None:
    with pytest.raises(StreamCorrupt):
        inspect(conda_of_info(part))


def test_a_frame_with_a_dictionary_is_refused() -> None:
    samples: list[bytes | bytearray | memoryview] = [
        tar_bytes([TarMember(f"info/{number}", b"abc" * number)]) for number in range(100)
    ]
    dictionary = zstandard.train_dictionary(2048, samples)
    part = zstandard.ZstdCompressor(dict_data=dictionary).compress(TAR)
    with pytest.raises(StreamCorrupt) as caught:
        inspect(conda_of_info(part))
    assert "dictionary" in caught.value.reason


def test_a_window_that_clients_refuse_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    part = compressor.compress(TAR) + compressor.flush()
    with pytest.raises(StreamWindowTooLarge) as caught:
        inspect(conda_of_info(part))
    assert (caught.value.window, caught.value.limit) == (2**28, 2**27)


def test_a_checksum_inside_the_frame_is_verified() -> None:
    part = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(TAR))
    part[-1] ^= 1
    with pytest.raises(StreamCorrupt):
        inspect(conda_of_info(bytes(part)))


def test_frames_of_very_many_blocks_are_not_walked_to_the_end() -> None:
    empty_block = b"\0\0\0"
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + empty_block * 70_000 + b"\x01\0\0"
    with pytest.raises(StreamCorrupt) as caught:
        inspect(conda_of_info(frame))
    assert "blocks" in caught.value.reason


def test_a_tar_bz2_may_not_be_cut_off() -> None:
    data = build_tar_bz2("alpha")
    for length in (0, 1, 3, 4, 10, len(data) // 2, len(data) - 1):
        with pytest.raises((StreamTruncated, StreamCorrupt)):
            inspect(data[:length], TAR_BZ2)


@pytest.mark.parametrize("more", [b"x", b"\0", bz2.compress(b""), bz2.compress(b"x"), b"BZh9"])
def test_nothing_may_follow_the_bzip2_stream(more: bytes) -> None:
    with pytest.raises(StreamNotSingle):
        inspect(build_tar_bz2("alpha") + more, TAR_BZ2)


def test_what_follows_is_found_in_a_later_read_too() -> None:
    import random

    noise = TarMember("noise", random.Random(1).randbytes(400_000))
    data = bz2.compress(tar_bytes([*INFO, *PAYLOAD, noise]))
    assert inspect(data, TAR_BZ2).index["name"] == "alpha"
    for more in (b"x", bytes(300_000)):
        with pytest.raises(StreamNotSingle):
            inspect(data + more, TAR_BZ2)


def test_a_tar_in_two_bzip2_streams_is_refused() -> None:
    tar = tar_bytes([*INFO, *PAYLOAD])
    with pytest.raises(BadArchive):
        inspect(bz2.compress(tar[:1024]) + bz2.compress(tar[1024:]), TAR_BZ2)


@pytest.mark.parametrize(
    "data", [b"not bzip2", tar_bytes([*INFO, *PAYLOAD]), zstd(TAR), b"BZh0", b"BZh9" + bytes(100)]
)
def test_a_tar_bz2_has_to_be_a_bzip2_stream(data: bytes) -> None:
    with pytest.raises(StreamCorrupt):
        inspect(data, TAR_BZ2)


def test_a_failure_does_not_spoil_the_next_package() -> None:
    good = conda_of_info(zstd(TAR))
    part = bytearray(zstd(TAR))
    part[20] ^= 0xFF
    for _ in range(3):
        with pytest.raises(BadArchive):
            inspect(conda_of_info(bytes(part)))
        assert inspect(good).index["name"] == "alpha"
