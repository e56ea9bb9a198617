"""A tar ends in two blocks of zeros, and nothing but zeros follows."""

from __future__ import annotations

import pytest

from channeld.formats.archive.rejections import StreamTruncated
from channeld.formats.archive.tar_rejections import TarHeaderCorrupt, TarTrailingBytes
from tests.support.archives import TAR_BZ2, conda_of_tar, inspect, tar_bz2_of_tar
from tests.support.tarfiles import END, header, member, pax


@pytest.mark.parametrize("padding", [0, 512, 8192, 10_240, 100_000, 700_000])
def test_zeros_may_follow_the_end(padding: int) -> None:
    inspect(conda_of_tar(end=END + bytes(padding)))
    inspect(tar_bz2_of_tar(end=END + bytes(padding)), TAR_BZ2)


@pytest.mark.parametrize(
    "behind", [b"x", bytes(511) + b"x", member("info/index.json", b"{}") + END, bytes(600_000) + b"x"]
)
def test_nothing_else_may_follow_the_end(behind: bytes) -> None:
    with pytest.raises(TarTrailingBytes):
        inspect(conda_of_tar(end=END + behind))
    with pytest.raises(TarTrailingBytes):
        inspect(tar_bz2_of_tar(end=END + behind), TAR_BZ2)


def test_padding_without_end_is_refused() -> None:
    with pytest.raises(TarTrailingBytes):
        inspect(conda_of_tar(end=END + bytes(2 * 1024 * 1024)))


@pytest.mark.parametrize("end", [b"", bytes(511), bytes(512), bytes(1023)])
def test_a_tar_without_its_whole_end_mark_is_cut_off(end: bytes) -> None:
    with pytest.raises(StreamTruncated):
        inspect(conda_of_tar(end=end))
    with pytest.raises(StreamTruncated):
        inspect(tar_bz2_of_tar(end=end), TAR_BZ2)


def test_one_block_of_zeros_between_members_is_refused() -> None:
    with pytest.raises(TarHeaderCorrupt):
        inspect(conda_of_tar(bytes(512), member("info/x")))


def test_extended_headers_without_a_member_are_refused() -> None:
    with pytest.raises(TarHeaderCorrupt):
        inspect(conda_of_tar(pax(("path", "info/x"))))


def test_an_empty_tar_has_no_metadata() -> None:
    from channeld.formats.archive.tar_rejections import DocumentMissing
    from tests.support.archives import conda_of_info
    from tests.support.packages import zstd

    with pytest.raises(DocumentMissing):
        inspect(conda_of_info(zstd(END)))


def test_half_a_header_is_cut_off() -> None:
    with pytest.raises(StreamTruncated):
        inspect(conda_of_tar(header("info/x")[:300], end=b""))
