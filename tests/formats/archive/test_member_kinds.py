"""Links belong in the payload only, and lead no member astray."""

from __future__ import annotations

from tarfile import DIRTYPE, LNKTYPE, SYMTYPE

import pytest

from channeld.formats.archive.tar_rejections import MemberBeneathLink, MemberIsLink, MemberPathUnsafe
from channeld.formats.names import Naming
from tests.support.archives import CONDA, INFO, PAYLOAD, STEM, TAR_BZ2, conda, inspect, tar_bz2
from tests.support.packages import TarMember, conda_archive, tar_bz2_archive


@pytest.mark.parametrize("kind", [SYMTYPE, LNKTYPE])
def test_links_below_info_are_refused(kind: bytes) -> None:
    link = TarMember("info/recipe/link.patch", kind=kind, target="info/index.json")
    with pytest.raises(MemberIsLink) as caught:
        inspect(conda(link))
    assert caught.value.detail() == {"path": "info/recipe/link.patch", "target": "info/index.json"}
    with pytest.raises(MemberIsLink):
        inspect(tar_bz2(link), TAR_BZ2)


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "path", ["info/index.json", "info/paths.json", "info/about.json", "info/run_exports.json"]
)
def test_a_document_is_never_a_link(path: str, naming: Naming) -> None:
    others = [member for member in INFO if member.path != path]
    link = TarMember(path, kind=SYMTYPE, target="other")
    with pytest.raises(MemberIsLink):
        inspect(conda_archive(STEM, [*others, link], PAYLOAD), CONDA, naming)


def test_old_recipes_with_symbolic_links_are_read_as_legacy() -> None:
    link = TarMember("info/recipe/parent", kind=SYMTYPE, target="../../x")
    assert inspect(conda(link), CONDA, Naming.LEGACY).index["name"] == "alpha"


def test_links_in_the_payload_are_content() -> None:
    data = tar_bz2(
        TarMember("lib/libx.so.1", b"x"),
        TarMember("lib/libx.so", kind=SYMTYPE, target="libx.so.1"),
        TarMember("lib/elsewhere", kind=SYMTYPE, target="/opt/x"),
        TarMember("lib/libx.so.2", kind=LNKTYPE, target="lib/libx.so.1"),
        TarMember("lib/libx.so.3", kind=LNKTYPE, target="./lib/libx.so.1"),
    )
    assert inspect(data, TAR_BZ2).index["name"] == "alpha"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "a/../../b", ""])
def test_a_hard_link_to_the_outside_is_refused(target: str) -> None:
    with pytest.raises(MemberPathUnsafe):
        inspect(tar_bz2(TarMember("lib/x", kind=LNKTYPE, target=target)), TAR_BZ2)


def test_the_path_of_a_link_is_checked_too() -> None:
    for kind in (SYMTYPE, LNKTYPE):
        with pytest.raises(MemberPathUnsafe):
            inspect(tar_bz2(TarMember("../x", kind=kind, target="y")), TAR_BZ2)


@pytest.mark.parametrize("path", ["x/index.json", "x/y/z", "x"])
def test_a_member_below_a_link_is_refused(path: str) -> None:
    link = TarMember("x", kind=SYMTYPE, target="info")
    if path == "x":
        from channeld.formats.archive.tar_rejections import MemberDuplicate

        with pytest.raises(MemberDuplicate):
            inspect(tar_bz2(link, TarMember(path)), TAR_BZ2)
        return
    with pytest.raises(MemberBeneathLink) as caught:
        inspect(tar_bz2(link, TarMember(path)), TAR_BZ2)
    assert caught.value.detail() == {"path": path, "link": "x"}


def test_info_must_not_be_reached_through_a_link() -> None:
    with pytest.raises(MemberIsLink):
        inspect(tar_bz2(TarMember("info/licenses", kind=SYMTYPE, target="../share")), TAR_BZ2)
    link = [TarMember("info/recipe", kind=SYMTYPE, target="."), TarMember("info/recipe/meta.yaml")]
    data = tar_bz2_archive([*link, *INFO])
    with pytest.raises(MemberIsLink):
        inspect(data, TAR_BZ2)
    with pytest.raises(MemberBeneathLink):
        inspect(data, TAR_BZ2, Naming.LEGACY)


def test_folders_are_content() -> None:
    data = tar_bz2(TarMember("lib", kind=DIRTYPE), TarMember("lib/x"), TarMember("info/recipe", kind=DIRTYPE))
    assert inspect(data, TAR_BZ2).index["name"] == "alpha"
