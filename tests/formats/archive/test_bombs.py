"""What decompresses to far more than it takes is refused early, and costs no memory."""

from __future__ import annotations

import bz2
import io
import tracemalloc

import pytest
import zstandard

from channeld.formats.archive.rejections import CompressionBomb, StreamTooLarge
from channeld.formats.names import Naming
from channeld.formats.rejections import BadArchive
from tests.support.archives import INFO, TAR_BZ2, conda_of_info, inspect, tar_of
from tests.support.packages import TarMember, conda_archive
from tests.support.tarfiles import END, header

MIB = 2**20
ZEROS = header("info/zeros", 200 * MIB)


def zstd_of_zeros(head: bytes, count: int) -> bytes:
    compressor = zstandard.ZstdCompressor(level=3)
    out = io.BytesIO()
    with compressor.stream_writer(out, closefd=False) as writer:
        writer.write(head)
        for _ in range(count // MIB):
            writer.write(bytes(MIB))
        writer.write(END)
    return out.getvalue()


def bzip2_of_zeros(head: bytes, count: int) -> bytes:
    compressor = bz2.BZ2Compressor(1)
    out = compressor.compress(head)
    for _ in range(count // MIB):
        out += compressor.compress(bytes(MIB))
    return out + compressor.compress(END) + compressor.flush()


def peak_of_refusing(data: bytes, filename: str, rule: type[BadArchive], **limits: int) -> int:
    """Return the most memory that Python held, in bytes, beyond the package itself."""
    tracemalloc.start()
    try:
        with pytest.raises(rule):
            inspect(data, filename, Naming.STRICT, **limits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_info_part_of_zeros_is_a_bomb() -> None:
    data = conda_of_info(zstd_of_zeros(tar_of(INFO) + ZEROS, 200 * MIB))
    assert len(data) < 100_000
    assert peak_of_refusing(data, "alpha-1.0-0.conda", CompressionBomb) < 8 * MIB


def test_a_tar_bz2_of_zeros_is_a_bomb() -> None:
    data = bzip2_of_zeros(tar_of(INFO) + header("zeros", 64 * MIB), 64 * MIB)
    assert peak_of_refusing(data, TAR_BZ2, CompressionBomb) < 8 * MIB


def test_one_block_that_claims_many_bytes_is_a_bomb() -> None:
    # RLE blocks: four bytes for 128 KiB each (RFC 8878, 3.1.1.2.2), as few as the floor allows and one more.
    block = ((1 << 1) | (128 * 1024 << 3)).to_bytes(3, "little") + b"\0"
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + block * 400 + b"\x01\0\0"
    assert peak_of_refusing(conda_of_info(frame), "alpha-1.0-0.conda", BadArchive) < 8 * MIB


def test_the_limits_of_size_hold_whatever_the_ratio() -> None:
    import random

    noise = TarMember("info/noise", random.Random(1).randbytes(200_000))
    with pytest.raises(StreamTooLarge) as caught:
        inspect(conda_archive("alpha-1.0-0", [*INFO, noise], []), info_size=100_000)
    assert caught.value.detail() == {"part": "info-alpha-1.0-0.tar.zst", "limit": 100_000}
    data = bz2.compress(tar_of([*INFO, noise]) + END)
    with pytest.raises(StreamTooLarge):
        inspect(data, TAR_BZ2, tar_size=100_000)
    assert inspect(data, TAR_BZ2, tar_size=300_000).index["name"] == "alpha"


def test_small_runs_of_zeros_are_no_bomb() -> None:
    data = conda_of_info(zstd_of_zeros(tar_of(INFO) + header("info/zeros", 8 * MIB), 8 * MIB))
    assert inspect(data).index["name"] == "alpha"
    assert (
        inspect(bzip2_of_zeros(tar_of(INFO) + header("zeros", 8 * MIB), 8 * MIB), TAR_BZ2).index["name"]
        == "alpha"
    )


def test_a_large_payload_takes_no_memory() -> None:
    pattern = bytes(range(256)) * 4096
    compressor = bz2.BZ2Compressor(1)
    data = compressor.compress(tar_of(INFO) + header("large", 8 * MIB))
    for _ in range(8):
        data += compressor.compress(pattern)
    data += compressor.compress(END) + compressor.flush()
    tracemalloc.start()
    try:
        assert inspect(data, TAR_BZ2).index["name"] == "alpha"
        assert tracemalloc.get_traced_memory()[1] < 3 * MIB
    finally:
        tracemalloc.stop()
