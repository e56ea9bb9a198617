"""What the local header of a member says has to be what the directory says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from channeld.formats.archive.rejections import (
    PartChecksumMismatch,
    PartCompressed,
    PartFlagged,
    ZipDirectoryMalformed,
    ZipHeadersDisagree,
)
from channeld.formats.rejections import BadArchive
from tests.support.archives import CONDA, inspect, parts
from tests.support.zipfiles import DEFLATED, zip_bytes

METADATA, PKG, INFO = range(3)


def changed(which: int, **fields: Any) -> bytes:
    members = parts()
    members[which] = dataclasses.replace(members[which], **fields)
    return zip_bytes(members)


@pytest.mark.parametrize("which", [METADATA, PKG, INFO])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"local_crc": 1}, "CRC-32"),
        ({"local_size": 1}, "size"),
        ({"local_compressed_size": 1}, "size"),
        ({"local_method": DEFLATED}, "method"),
        ({"local_flags": 8}, "flags"),
        ({"local_flags": 1}, "flags"),
    ],
)
def test_a_difference_in_one_field_is_refused(which: int, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ZipHeadersDisagree) as caught:
        inspect(changed(which, **fields))
    assert caught.value.field == field


def test_another_local_name_is_refused_whatever_its_length() -> None:
    for name in ("METADATA.JSON", "m", "metadata.json" + "x" * 200):
        with pytest.raises(ZipHeadersDisagree) as caught:
            inspect(changed(METADATA, local_name=name))
        assert caught.value.detail() == {"part": "metadata.json", "field": "name"}


@pytest.mark.parametrize("which", [METADATA, PKG, INFO])
def test_deflated_members_are_refused(which: int) -> None:
    with pytest.raises(PartCompressed) as caught:
        inspect(changed(which, method=DEFLATED))
    assert caught.value.method == DEFLATED


@pytest.mark.parametrize("flags", [0x0001, 0x0008, 0x0020, 0x0040, 0x2000])
def test_encryption_data_descriptors_and_patches_are_refused(flags: int) -> None:
    with pytest.raises(PartFlagged) as caught:
        inspect(changed(INFO, flags=flags))
    assert caught.value.flags == flags


def test_the_flag_for_utf_8_names_is_harmless() -> None:
    assert inspect(changed(INFO, flags=0x0800)).index["name"] == "alpha"


@pytest.mark.parametrize("which", [METADATA, INFO])
def test_a_wrong_checksum_in_both_headers_is_found_in_what_is_read(which: int) -> None:
    with pytest.raises(PartChecksumMismatch):
        inspect(changed(which, crc=12345))


def test_two_sizes_of_a_stored_member_are_refused() -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(INFO, size=1, local_size=1))


def test_a_second_name_in_an_extra_field_is_refused() -> None:
    unicode_path = b"\x75\x70\x09\x00\x01\0\0\0\0evil"
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(PKG, extra=unicode_path))
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(PKG, local_extra=unicode_path))


@pytest.mark.parametrize(
    "extra", [b"\x01", b"\x01\x00\xff", b"\x01\x00\x08\x00aaaa", b"\x01\x00\x07\x00aaaaaaa"]
)
def test_extra_fields_that_do_not_add_up_are_refused(extra: bytes) -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(INFO, extra=extra))


def test_timestamps_in_extra_fields_are_passed_over() -> None:
    stamp = b"UT\x05\x00\x03\0\0\0\0"
    assert inspect(changed(INFO, extra=stamp, local_extra=stamp * 20)).index["name"] == "alpha"


def test_a_byte_changed_anywhere_before_the_payload_is_noticed_or_harmless() -> None:
    data = bytearray(changed(METADATA))
    good = inspect(bytes(data))
    for at in range(30 + len("metadata.json")):
        for flip in (0x01, 0x80):
            data[at] ^= flip
            try:
                outcome = inspect(bytes(data), CONDA)
            except BadArchive:
                outcome = good
            assert outcome == good
            data[at] ^= flip
