"""The central directory and the end record of a .conda (APPNOTE 4.3.12, 4.3.16)."""

from __future__ import annotations

import dataclasses

import pytest

from channeld.formats.archive.rejections import ZipDirectoryMalformed
from channeld.formats.rejections import BadArchive
from tests.support.archives import conda_zip, inspect, parts
from tests.support.zipfiles import ZipTail, zip_bytes


@pytest.mark.parametrize("count", [0, 1, 2, 4, 65535])
def test_a_wrong_number_of_members_is_refused(count: int) -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(conda_zip(tail=ZipTail(count=count)))


@pytest.mark.parametrize("delta", [-1, 1, -46, 46])
def test_a_directory_that_does_not_end_where_the_end_record_begins_is_refused(delta: int) -> None:
    good = conda_zip()
    size = int.from_bytes(good[-10:-6], "little")
    offset = int.from_bytes(good[-6:-2], "little")
    for tail in (ZipTail(directory_size=size + delta), ZipTail(directory_offset=offset + delta)):
        with pytest.raises(ZipDirectoryMalformed):
            inspect(conda_zip(tail=tail))
    with pytest.raises(BadArchive):
        inspect(conda_zip(tail=ZipTail(directory_size=size + delta, directory_offset=offset - delta)))


def test_archives_over_several_disks_are_refused() -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(conda_zip(tail=ZipTail(disk=1)))
    members = parts()
    members[0] = dataclasses.replace(members[0], disk=1)
    with pytest.raises(ZipDirectoryMalformed):
        inspect(zip_bytes(members))


def test_comments_of_members_are_refused() -> None:
    members = parts()
    members[0] = dataclasses.replace(members[0], comment=b"PK\x05\x06")
    with pytest.raises(ZipDirectoryMalformed):
        inspect(zip_bytes(members))


def test_a_long_directory_is_refused_before_it_is_read() -> None:
    members = parts()
    members[0] = dataclasses.replace(members[0], extra=b"UT" + (6000).to_bytes(2, "little") + bytes(6000))
    with pytest.raises(ZipDirectoryMalformed) as caught:
        inspect(zip_bytes(members))
    assert "more than 4096" in caught.value.reason


def test_a_directory_that_is_longer_than_one_read_is_read_whole() -> None:
    members = parts()
    members[0] = dataclasses.replace(members[0], extra=b"UT" + (2000).to_bytes(2, "little") + bytes(2000))
    assert inspect(zip_bytes(members)).index["name"] == "alpha"
