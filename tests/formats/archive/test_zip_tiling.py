"""A .conda has nothing before, between, behind or over its three members and its directory."""

from __future__ import annotations

import dataclasses

import pytest

from channeld.formats.archive.rejections import (
    NotAZip,
    ZipDirectoryMalformed,
    ZipPartsNotAdjacent,
    ZipTrailingBytes,
)
from tests.support.archives import conda_zip, inspect, parts
from tests.support.packages import build_conda
from tests.support.zipfiles import ZipTail, zip_bytes

GOOD = build_conda("alpha")


def test_bytes_behind_the_end_record_are_refused() -> None:
    with pytest.raises(ZipTrailingBytes) as caught:
        inspect(GOOD + b"x" * 7)
    assert caught.value.detail() == {"count": 7}


def test_a_comment_is_refused_even_if_it_holds_no_second_end_record() -> None:
    with pytest.raises(ZipTrailingBytes):
        inspect(conda_zip(tail=ZipTail(comment=b"hello")))


def test_a_second_archive_in_the_comment_is_refused() -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(conda_zip(tail=ZipTail(comment=build_conda("beta"))))


def test_two_archives_behind_one_another_are_refused() -> None:
    with pytest.raises(ZipPartsNotAdjacent):
        inspect(conda_zip(tail=ZipTail(prefix=build_conda("beta"))))


def test_bytes_before_the_first_member_are_refused() -> None:
    with pytest.raises(ZipPartsNotAdjacent) as caught:
        inspect(conda_zip(tail=ZipTail(prefix=b"#!/bin/sh\n")))
    assert caught.value.detail() == {"part": "metadata.json", "expected_offset": 0, "offset": 10}


def test_bytes_between_two_members_are_refused() -> None:
    members = parts()
    members[1] = dataclasses.replace(members[1], gap_before=b"hidden")
    with pytest.raises(ZipPartsNotAdjacent):
        inspect(zip_bytes(members))


def test_bytes_before_the_directory_are_refused() -> None:
    with pytest.raises(ZipPartsNotAdjacent) as caught:
        inspect(conda_zip(tail=ZipTail(before_directory=b"hidden")))
    assert caught.value.part == "central directory"


def test_two_members_over_the_same_bytes_are_refused() -> None:
    members = parts()
    members[2] = dataclasses.replace(members[2], offset=0)
    with pytest.raises(ZipPartsNotAdjacent):
        inspect(zip_bytes(members))


def test_a_member_that_reaches_into_the_directory_is_refused() -> None:
    members = parts()
    size = len(members[2].data) + 10
    members[2] = dataclasses.replace(members[2], size=size, compressed_size=size)
    with pytest.raises(ZipPartsNotAdjacent):
        inspect(zip_bytes(members))


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"not a zip at all", b"BZh91AY&SY", b"\0" * 100_000, GOOD[:-30]]
)
def test_other_files_are_no_zip(data: bytes) -> None:
    with pytest.raises(NotAZip) as caught:
        inspect(data)
    assert caught.value.detail() == {"size": len(data)}
