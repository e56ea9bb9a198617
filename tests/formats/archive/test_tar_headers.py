"""Tar headers that are damaged, or that two readers could read differently, are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channeld.formats.archive.rejections import StreamTruncated
from channeld.formats.archive.tar_rejections import (
    MemberIsDevice,
    TarHeaderCorrupt,
    TarSizesDisagree,
    TarUnsupported,
)
from tests.support import tarfiles
from tests.support.archives import TAR_BZ2, conda_of_tar, inspect, tar_bz2_of_tar
from tests.support.tarfiles import header, member, pax


def both(*blocks: bytes) -> list[Callable[[], object]]:
    """Return calls that inspect the blocks in either format."""
    return [
        lambda: inspect(conda_of_tar(*blocks)),
        lambda: inspect(tar_bz2_of_tar(*blocks), TAR_BZ2),
    ]


def test_plain_headers_by_hand_are_read() -> None:
    for call in both(member("info/x", b"data"), member("info/y", b"", b"\0"), member("info/d/", b"", b"5")):
        call()


def test_a_wrong_checksum_is_refused() -> None:
    for call in both(header("info/x", checksum=b"000001\0 ")):
        with pytest.raises(TarHeaderCorrupt) as caught:
            call()
        assert caught.value.reason == "its checksum is wrong"
        assert caught.value.position % 512 == 0


@pytest.mark.parametrize(
    "size",
    [
        b"00000000009\0",
        b"0000000000x\0",
        b"-0000000001\0",
        b"+0000000001\0",
        b"0x000000001\0",
        b"0_000000001\0",
    ],
)
def test_a_size_that_is_not_octal_is_refused(size: bytes) -> None:
    for call in both(header("info/x", size)):
        with pytest.raises(TarHeaderCorrupt):
            call()


@pytest.mark.parametrize("size", [b" 0 \0", b"\0" * 12, b"          0 ", b"0\0"])
def test_numbers_may_be_padded_in_many_ways(size: bytes) -> None:
    for call in both(header("info/x", size)):
        call()


@pytest.mark.parametrize(
    "size",
    [b"\x80" + (5).to_bytes(11, "big"), b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x81" + bytes(11)],
    ids=["needless", "negative", "huge", "above"],
)
def test_binary_sizes_that_octal_digits_could_say_or_that_make_no_sense_are_refused(size: bytes) -> None:
    for call in both(header("info/x", size)):
        with pytest.raises(TarHeaderCorrupt):
            call()


def test_a_binary_size_above_8_gib_is_a_size() -> None:
    for call in both(header("info/x", b"\x80" + (9 * 2**30).to_bytes(11, "big"))):
        with pytest.raises(StreamTruncated):
            call()


def test_a_member_longer_than_the_tar_is_refused() -> None:
    for call in both(header("info/x", 4096)):
        with pytest.raises(StreamTruncated):
            call()


@pytest.mark.parametrize("magic", [bytes(8), b"ustar\x0001", b"ustar\0\0\0", b"xxxxxxxx"])
def test_other_kinds_of_headers_are_refused(magic: bytes) -> None:
    for call in both(header("info/x", magic=magic)):
        with pytest.raises(TarHeaderCorrupt):
            call()


def test_gnu_times_where_posix_has_the_prefix_are_refused() -> None:
    for call in both(header("info/x", magic=tarfiles.GNU, prefix=b"14712345670\0")):
        with pytest.raises(TarUnsupported):
            call()


@pytest.mark.parametrize("kind", [b"3", b"4", b"6"])
def test_devices_and_pipes_are_refused(kind: bytes) -> None:
    for call in both(header("info/x", 0, kind)):
        with pytest.raises(MemberIsDevice) as caught:
            call()
        assert caught.value.detail() == {"path": "info/x"}


@pytest.mark.parametrize("kind", [b"7", b"S", b"M", b"V", b"D", b"N", b"A", b"8", b"X", b"\xff"])
def test_other_types_are_refused(kind: bytes) -> None:
    for call in both(header("info/x", 0, kind)):
        with pytest.raises(TarUnsupported):
            call()


@pytest.mark.parametrize("kind", [b"1", b"2", b"5"])
def test_data_in_links_and_folders_is_refused(kind: bytes) -> None:
    for call in both(member("x", b"data", kind, target=b"y")):
        with pytest.raises(TarUnsupported):
            call()


def test_a_pax_path_replaces_the_one_in_the_header() -> None:
    data = tar_bz2_of_tar(pax(("path", "share/x")), member("innocent", b"data"), member("share/x", b"again"))
    with pytest.raises(Exception, match="'share/x' is in the package twice"):
        inspect(data, TAR_BZ2)


@pytest.mark.parametrize("size", [0, 5])
def test_a_pax_size_that_the_header_contradicts_is_refused(size: int) -> None:
    for call in both(pax(("size", "512")), member("info/x", b"x" * size), bytes(512)):
        with pytest.raises(TarSizesDisagree) as caught:
            call()
        assert caught.value.detail() == {"path": "info/x", "header": size, "pax": 512}


def test_a_pax_size_that_the_header_could_not_hold_is_a_size() -> None:
    for call in both(pax(("size", str(9 * 2**30))), header("info/x", 0)):
        with pytest.raises(StreamTruncated):
            call()


@pytest.mark.parametrize(
    "records",
    [
        b"10 path=x",
        b"11 path=x\n",
        b"x path=x\n",
        b" path=x\n",
        b"path=x\n",
        b"-9 path=x\n",
        b"0 path=x\n",
        b"2 \n",
        b"9" * 30 + b" path=x\n",
        b"8 pathx\n",
    ],
)
def test_malformed_pax_records_are_refused(records: bytes) -> None:
    for call in both(member("PaxHeaders/x", records, b"x"), member("info/x")):
        with pytest.raises(TarHeaderCorrupt):
            call()


@pytest.mark.parametrize(
    "blocks",
    [
        [pax(("GNU.sparse.major", "1"))],
        [pax(("GNU.sparse.name", "info/index.json"))],
        [pax(("hdrcharset", "BINARY"))],
        [pax(("path", "a"), ("path", "b"))],
        [pax(("path", "a")), pax(("path", "b"))],
        [pax(("mtime", "1")), pax(("mtime", "2"))],
        [pax(("path", "a"), kind=b"g")],
        [pax(("linkpath", "a"), kind=b"g")],
        [pax(("size", "0"), kind=b"g")],
        [member("././@LongLink", b"a\0", b"L"), pax(("path", "b"))],
        [pax(("path", "b")), member("././@LongLink", b"a\0", b"L")],
        [member("././@LongLink", b"a\0", b"L"), member("././@LongLink", b"b\0", b"L")],
        [member("././@LongLink", b"a\0b\0", b"L")],
        [member("././@LongLink", b"", b"L")],
        [member("././@LongLink", b"\0", b"K")],
        [member("PaxHeaders/x", b"x" * (1024 * 1024 + 1), b"x")],
    ],
)
def test_extended_headers_that_readers_could_differ_about_are_refused(blocks: list[bytes]) -> None:
    for call in both(*blocks, member("info/x")):
        with pytest.raises(TarUnsupported):
            call()


@pytest.mark.parametrize("size", ["-1", "1.0", "", "x", "9" * 20])
def test_a_pax_size_that_is_no_number_is_refused(size: str) -> None:
    for call in both(pax(("size", size)), member("info/x")):
        with pytest.raises(TarHeaderCorrupt):
            call()


def test_global_headers_with_comments_are_passed_over() -> None:
    # What "git archive" writes.
    for call in both(pax(("comment", "0123abc"), kind=b"g"), member("info/x")):
        call()


def test_gnu_long_names_are_read() -> None:
    long = "share/" + "x" * 200
    blocks = (member("././@LongLink", long.encode() + b"\0", b"L"), member("share/x"))
    with pytest.raises(Exception, match="is in the package twice"):
        inspect(tar_bz2_of_tar(*blocks, *blocks), TAR_BZ2)
    inspect(tar_bz2_of_tar(*blocks), TAR_BZ2)


def test_the_posix_prefix_belongs_to_the_path() -> None:
    block = header("index.json", 0, prefix=b"info")
    with pytest.raises(Exception, match=r"'info/index\.json' is in the package twice"):
        inspect(conda_of_tar(block))
