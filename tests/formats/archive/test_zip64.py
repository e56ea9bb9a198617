"""zip64 (APPNOTE 4.3.14, 4.5.3): needed for parts above 4 GiB, and written by some tools for all."""

from __future__ import annotations

import dataclasses
import io
import struct
from typing import Any

import pytest

from channeld.formats.archive.inspection import inspect_archive
from channeld.formats.archive.rejections import PackageTooLarge, ZipDirectoryMalformed, ZipHeadersDisagree
from channeld.formats.names import FileName
from channeld.formats.rejections import BadArchive
from tests.support.archives import CONDA, conda_zip, inspect, parts
from tests.support.zipfiles import ZipTail, zip_bytes

GIB = 2**30


def changed(**fields: Any) -> bytes:
    return zip_bytes([dataclasses.replace(part, **fields) for part in parts()])


def zip64_extra(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def test_sizes_may_stand_in_zip64_fields_of_either_header() -> None:
    for fields in (
        {"zip64_local": True},
        {"zip64_central": True},
        {"zip64_local": True, "zip64_central": True},
    ):
        assert inspect(changed(**fields)).index["name"] == "alpha"


def test_a_zip64_field_that_replaces_nothing_means_nothing() -> None:
    # Old releases of rattler-build left zeros in it.
    assert inspect(changed(extra=zip64_extra(0, 0))).index["name"] == "alpha"


def test_a_zip64_end_record_may_be_there_without_need() -> None:
    assert inspect(conda_zip(tail=ZipTail(zip64=True))).index["name"] == "alpha"


def test_sizes_that_are_in_no_zip64_field_are_refused() -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(size=0xFFFFFFFF, compressed_size=0xFFFFFFFF))


def test_a_zip64_field_that_lies_is_refused() -> None:
    with pytest.raises(BadArchive):
        inspect(changed(size=0xFFFFFFFF, compressed_size=0xFFFFFFFF, extra=zip64_extra(5, 5)))
    with pytest.raises(ZipHeadersDisagree):
        inspect(
            changed(local_size=0xFFFFFFFF, local_compressed_size=0xFFFFFFFF, local_extra=zip64_extra(5, 5))
        )
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(size=0xFFFFFFFF, extra=zip64_extra(5, 5)))


def test_two_zip64_fields_in_one_header_are_refused() -> None:
    with pytest.raises(ZipDirectoryMalformed):
        inspect(changed(extra=zip64_extra(1, 1) * 2))


@pytest.mark.parametrize("at", range(56 + 20))
def test_a_damaged_zip64_end_record_is_refused_or_means_the_same(at: int) -> None:
    good = conda_zip(tail=ZipTail(zip64=True))
    data = bytearray(good)
    data[len(data) - 22 - 76 + at] ^= 0x40
    try:
        outcome = inspect(bytes(data))
    except BadArchive:
        return
    # The versions (4.4.2, 4.4.3) say nothing that matters.
    assert at in {12, 13, 14, 15}
    assert outcome == inspect(good)


def test_end_records_that_contradict_each_other_are_refused() -> None:
    good = bytearray(conda_zip(tail=ZipTail(zip64=True)))
    good[-6:-2] = (7).to_bytes(4, "little")
    with pytest.raises(ZipDirectoryMalformed):
        inspect(bytes(good))


class Hole(io.RawIOBase):
    """A file with a large part that is nowhere. A read may overlap it a little; more fails the test."""

    def __init__(self, head: bytes, hole: int, tail: bytes) -> None:
        super().__init__()
        self._head, self._hole, self._tail = head, hole, tail
        self._at = self.touched = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        size = len(self._head) + self._hole + len(self._tail)
        self._at = offset + (0, self._at, size)[whence]
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        start, end = self._at, self._at + size
        data = self._head[start:end]
        self.touched += max(0, min(end, len(self._head) + self._hole) - max(start, len(self._head)))
        assert self.touched <= 4096, "the payload was read"
        data += bytes(max(0, min(end, len(self._head) + self._hole) - max(start, len(self._head))))
        skipped = len(self._head) + self._hole
        data += self._tail[max(0, start - skipped) : max(0, end - skipped)]
        self._at += len(data)
        return data


@pytest.mark.parametrize("gib", [1, 3, 5])
def test_a_package_above_4_gib_is_read_without_touching_its_payload(gib: int) -> None:
    metadata, pkg, info = parts()
    large = gib * GIB
    marked = dataclasses.replace(
        pkg, data=b"", size=large, compressed_size=large, zip64_local=large >= 4 * GIB
    )
    marked = dataclasses.replace(marked, zip64_central=large >= 4 * GIB)
    head = zip_bytes([metadata, marked])
    head = head[: head.index(b"PK\x01\x02")]
    there = len(head) + large
    far = {"offset": 0xFFFFFFFF, "extra": zip64_extra(there)} if there >= 2**32 else {"offset": there}
    whole = zip_bytes(
        [metadata, marked, dataclasses.replace(info, **far)],
        ZipTail(zip64=there >= 2**32),
    )
    tail = bytearray(whole[len(head) :])
    _move_directory(tail, len(whole), large, zip64=there >= 2**32)
    file = Hole(head, large, bytes(tail))
    result = inspect_archive(file, FileName.parse(CONDA))  # type: ignore[arg-type]
    assert result.index["name"] == "alpha"


def _move_directory(tail: bytearray, size: int, by: int, *, zip64: bool) -> None:
    """Add the size of the hole to the offsets behind it."""
    if zip64:
        record = len(tail) - 22 - 20 - 56
        for at in (record + 48, len(tail) - 22 - 20 + 8):
            value = int.from_bytes(tail[at : at + 8], "little") + by
            tail[at : at + 8] = value.to_bytes(8, "little")
    else:
        value = int.from_bytes(tail[-6:-2], "little") + by
        tail[-6:-2] = value.to_bytes(4, "little")


def test_a_package_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(PackageTooLarge) as caught:
        inspect_archive(Hole(b"", 17 * GIB, b""), FileName.parse(CONDA))  # type: ignore[arg-type]
    assert caught.value.detail() == {"size": 17 * GIB, "limit": 16 * GIB}
