"""No path is in a package twice: which one wins would depend on the reader."""

from __future__ import annotations

from tarfile import DIRTYPE, LNKTYPE, SYMTYPE

import pytest

from channeld.formats.archive.tar_rejections import MemberDuplicate
from tests.support.archives import TAR_BZ2, conda, inspect, tar_bz2
from tests.support.packages import TarMember


def test_a_later_index_json_is_refused_even_behind_the_payload() -> None:
    again = TarMember("info/index.json", b"{}")
    for data, filename in ((conda(again), "alpha-1.0-0.conda"), (tar_bz2(again), TAR_BZ2)):
        with pytest.raises(MemberDuplicate) as caught:
            inspect(data, filename)
        assert caught.value.detail() == {"path": "info/index.json"}


def test_dot_slash_makes_no_other_path() -> None:
    with pytest.raises(MemberDuplicate):
        inspect(conda(TarMember("./info/index.json", b"{}")))


@pytest.mark.parametrize("first", [b"0", SYMTYPE, LNKTYPE, DIRTYPE])
@pytest.mark.parametrize("second", [b"0", SYMTYPE, LNKTYPE, DIRTYPE])
def test_only_folders_may_be_named_again(first: bytes, second: bytes) -> None:
    members = [
        TarMember("x", kind=kind, target="" if kind in {b"0", DIRTYPE} else "y") for kind in (first, second)
    ]
    data = tar_bz2(*members)
    if first == second == DIRTYPE:
        inspect(data, TAR_BZ2)
        return
    with pytest.raises(MemberDuplicate):
        inspect(data, TAR_BZ2)


def test_paths_that_differ_in_case_are_two_in_the_payload() -> None:
    inspect(tar_bz2(TarMember("share/README"), TarMember("share/readme")), TAR_BZ2)
