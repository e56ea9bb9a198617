"""A .conda is metadata.json, one info part and one pkg part, called after the package (CEP 35)."""

from __future__ import annotations

import dataclasses

import pytest

from channeld.formats.archive.rejections import (
    PackageFormatUnknown,
    PartDuplicated,
    PartMissing,
    PartNameMismatch,
    PartUnexpected,
    StreamTooLarge,
)
from tests.support.archives import INFO, PAYLOAD, STEM, conda_zip, inspect, parts
from tests.support.packages import build_conda, conda_archive
from tests.support.zipfiles import ZipMember, zip_bytes


@pytest.mark.parametrize("which", [0, 1, 2])
def test_each_part_is_needed(which: int) -> None:
    members = parts()
    missing = members.pop(which)
    with pytest.raises(PartMissing) as caught:
        inspect(zip_bytes(members))
    assert caught.value.detail() == {"part": missing.name}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_no_part_may_be_there_twice(which: int) -> None:
    members = parts()
    with pytest.raises(PartDuplicated) as caught:
        inspect(zip_bytes([*members, members[which]]))
    assert caught.value.detail() == {"part": members[which].name}


@pytest.mark.parametrize(
    "name",
    [
        "evil.txt",
        "info/index.json",
        "info/",
        "../x",
        "/etc/passwd",
        "METADATA.JSON",
        b"\xff\xfe",
        "info-x.tar.gz",
    ],
)
def test_nothing_else_may_be_there(name: str | bytes) -> None:
    with pytest.raises(PartUnexpected):
        inspect(conda_zip(extra=[ZipMember(name, b"x")]))


def test_the_parts_are_called_after_the_package() -> None:
    with pytest.raises(PartNameMismatch) as caught:
        inspect(build_conda("beta"))
    assert caught.value.detail() == {"part": "info-beta-1.0-0.tar.zst", "expected": f"info-{STEM}.tar.zst"}


def test_a_second_info_part_of_another_name_is_refused() -> None:
    with pytest.raises(PartUnexpected):
        inspect(conda_zip(extra=[ZipMember("info-beta-1.0-0.tar.zst", parts()[2].data)]))


def test_a_long_package_name_does_not_confuse_the_names_of_parts() -> None:
    name, version, build = "x" * 64, "1." + "0" * 60, "h" * 64
    data = build_conda(name, version, build)
    assert inspect(data, f"{name}-{version}-{build}.conda").index["name"] == name


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"{}",
        b"[]",
        b"2",
        b"null",
        b'"conda_pkg_format_version"',
        b'{"conda_pkg_format_version": 1}',
        b'{"conda_pkg_format_version": 3}',
        b'{"conda_pkg_format_version": "2"}',
        b'{"conda_pkg_format_version": 2.0}',
        b'{"conda_pkg_format_version": true}',
        b"\xff\xfe",
        b"[" * 2000,
    ],
)
def test_metadata_json_has_to_say_version_2(metadata: bytes) -> None:
    with pytest.raises(PackageFormatUnknown):
        inspect(conda_archive(STEM, INFO, PAYLOAD, metadata))


def test_a_large_metadata_json_is_not_read() -> None:
    with pytest.raises(StreamTooLarge):
        inspect(conda_archive(STEM, INFO, PAYLOAD, b" " * 5000 + b'{"conda_pkg_format_version": 2}'))


def test_empty_parts_are_refused() -> None:
    from channeld.formats.rejections import BadArchive

    for which in (0, 2):
        members = parts()
        members[which] = dataclasses.replace(members[which], data=b"")
        with pytest.raises(BadArchive):
            inspect(zip_bytes(members))
