"""No path in a package leads out of the package's folder, on any system."""

from __future__ import annotations

import pytest

from channeld.formats.archive.tar_rejections import (
    MemberOutsideInfo,
    MemberPathTooDeep,
    MemberPathTooLong,
    MemberPathUnsafe,
)
from tests.support.archives import TAR_BZ2, conda, conda_of_tar, inspect, tar_bz2, tar_bz2_of_tar
from tests.support.packages import TarMember
from tests.support.tarfiles import member, pax

UNSAFE = [
    "/etc/passwd",
    "//x",
    "../x",
    "info/../../x",
    "info/..",
    "..",
    "info/./x",
    "./../x",
    "././x",
    "a//b",
    "a/",
    "",
    ".",
    "./",
    "info\\..\\..\\x",
    "..\\x",
    "a/..\\b",
    "\\x",
    "\\\\server\\share",
    "C:\\x",
    "c:x",
]


@pytest.mark.parametrize("path", UNSAFE)
def test_unsafe_paths_are_refused_in_both_formats(path: str) -> None:
    with pytest.raises(MemberPathUnsafe):
        inspect(conda_of_tar(member(path)))
    with pytest.raises(MemberPathUnsafe):
        inspect(tar_bz2_of_tar(member(path)), TAR_BZ2)


@pytest.mark.parametrize("path", UNSAFE)
def test_unsafe_paths_in_pax_headers_are_refused(path: str) -> None:
    if not path:
        return
    with pytest.raises(MemberPathUnsafe):
        inspect(tar_bz2_of_tar(pax(("path", path)), member("innocent")), TAR_BZ2)


def test_a_nul_in_a_pax_path_is_refused() -> None:
    with pytest.raises(MemberPathUnsafe):
        inspect(tar_bz2_of_tar(pax(("path", b"info/index.json\0x")), member("innocent")), TAR_BZ2)


@pytest.mark.parametrize(
    "path",
    [
        "lib/libx.so.1",
        ".hidden",
        "a..b/c..",
        "...",
        "share/man/Foo::Bar.3",
        "xy:z",
        "systemd/dev-disk\\x2dby",
        "ünï/cödé",
        "a b/c",
    ],
)
def test_unusual_paths_of_real_packages_are_accepted(path: str) -> None:
    inspect(tar_bz2(TarMember(path)), TAR_BZ2)


def test_bytes_that_are_no_utf_8_are_paths_too() -> None:
    inspect(tar_bz2_of_tar(member(b"share/\xe4\xf6\xfc")), TAR_BZ2)
    inspect(conda_of_tar(member(b"info/\xe4\xf6\xfc")))


def test_the_info_part_has_info_only() -> None:
    for path in ("lib/x", "index.json", "infox/y", "Info2"):
        with pytest.raises(MemberOutsideInfo) as caught:
            inspect(conda(TarMember(path)))
        assert caught.value.detail() == {"path": path}


def test_info_itself_is_a_folder() -> None:
    with pytest.raises(MemberOutsideInfo):
        inspect(tar_bz2(TarMember("info")), TAR_BZ2)


def test_long_and_deep_paths_are_refused() -> None:
    with pytest.raises(MemberPathTooLong) as too_long:
        inspect(tar_bz2(TarMember("x" * 101)), TAR_BZ2, path_length=100)
    assert too_long.value.detail() == {"path": "x" * 80 + "…", "length": 101, "limit": 100}
    with pytest.raises(MemberPathTooDeep) as too_deep:
        inspect(tar_bz2(TarMember("a/" * 64 + "b")), TAR_BZ2)
    assert (too_deep.value.depth, too_deep.value.limit) == (65, 64)
