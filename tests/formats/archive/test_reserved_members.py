"""What clients write themselves is not shipped, nor anything that they could take for the metadata."""

from __future__ import annotations

from tarfile import SYMTYPE

import pytest

from channeld.formats.archive.tar_rejections import MemberMisspelt, MemberReserved
from channeld.formats.names import Naming
from tests.support.archives import CONDA, TAR_BZ2, conda, inspect, tar_bz2
from tests.support.packages import TarMember


@pytest.mark.parametrize("naming", Naming)
def test_repodata_record_json_is_refused_always(naming: Naming) -> None:
    member = TarMember("info/repodata_record.json", b"{}")
    for data, filename in ((conda(member), CONDA), (tar_bz2(member), TAR_BZ2)):
        with pytest.raises(MemberReserved) as caught:
            inspect(data, filename, naming)
        assert caught.value.detail() == {"path": "info/repodata_record.json"}


@pytest.mark.parametrize("path", ["conda-meta/history", "conda-meta", "Conda-Meta/x.json", "conda-meta./x"])
def test_conda_meta_is_refused_but_in_old_packages(path: str) -> None:
    data = tar_bz2(TarMember(path))
    with pytest.raises(MemberReserved):
        inspect(data, TAR_BZ2)
    assert inspect(data, TAR_BZ2, Naming.LEGACY).index["name"] == "alpha"


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("info/INDEX.JSON", "info/index.json"),
        ("INFO/index.json", "info/index.json"),
        ("Info/x", "info/x"),
        ("info./index.json", "info/index.json"),
        ("info /x", "info/x"),
        ("info/index.json.", "info/index.json"),
        ("info/index.json ", "info/index.json"),
        ("info\\index.json", "info/index.json"),
        ("info/index.j\u017fon", "info/index.json"),
        ("info/Repodata_Record.json", "info/repodata_record.json"),
    ],
)
def test_other_spellings_of_the_metadata_are_refused(path: str, meant: str, naming: Naming) -> None:
    with pytest.raises(MemberMisspelt) as caught:
        inspect(tar_bz2(TarMember(path)), TAR_BZ2, naming)
    assert caught.value.meant == meant


@pytest.mark.parametrize(
    "path", ["information/x", "Conda/x", "infos", "cInfo/index.json", "share/INFO/index.json", "info/License"]
)
def test_similar_paths_are_nothing_special(path: str) -> None:
    inspect(tar_bz2(TarMember(path)), TAR_BZ2)


def test_a_link_called_info_is_refused() -> None:
    from channeld.formats.rejections import BadArchive

    for path in ("info", "INFO"):
        with pytest.raises(BadArchive):
            inspect(tar_bz2(TarMember(path, kind=SYMTYPE, target="x")), TAR_BZ2)
