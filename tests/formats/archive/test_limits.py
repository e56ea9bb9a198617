"""The limits on numbers and sizes of members."""

from __future__ import annotations

import pytest

from channeld.formats.archive.rejections import PackageTooLarge
from channeld.formats.archive.tar_rejections import DocumentTooLarge, TooManyMembers
from tests.support.archives import CONDA, INFO, PAYLOAD, TAR_BZ2, conda, inspect, tar_bz2
from tests.support.packages import TarMember, build_conda, build_tar_bz2


def test_too_many_members_are_refused() -> None:
    many = [TarMember(f"info/licenses/{number}") for number in range(10)]
    for data, filename, there in (
        (conda(*many), CONDA, len(INFO) + 10),
        (tar_bz2(*many), TAR_BZ2, len(INFO) + len(PAYLOAD) + 10),
    ):
        assert inspect(data, filename, entries=there).index["name"] == "alpha"
        with pytest.raises(TooManyMembers) as caught:
            inspect(data, filename, entries=there - 1)
        assert caught.value.detail() == {"limit": there - 1}


def test_documents_are_bounded_and_paths_json_on_its_own() -> None:
    padded = {"about.json": b"{" + b" " * 2000 + b"}"}
    with pytest.raises(DocumentTooLarge) as caught:
        inspect(build_conda("alpha", info=padded), small_document_size=2000)
    assert caught.value.detail() == {"path": "info/about.json", "size": 2002, "limit": 2000}
    paths = {"paths.json": b'{"paths": []' + b" " * 3000 + b"}"}
    assert inspect(build_conda("alpha", info=paths), small_document_size=2000).index["name"] == "alpha"
    with pytest.raises(DocumentTooLarge):
        inspect(build_tar_bz2("alpha", info=paths), TAR_BZ2, document_size=2000)


def test_other_files_below_info_may_be_large() -> None:
    assert (
        inspect(conda(TarMember("info/licenses/x", b"x" * 5000)), small_document_size=2000).index["name"]
        == "alpha"
    )


def test_the_size_of_the_package_is_bounded() -> None:
    data = build_conda("alpha")
    assert inspect(data, package_size=len(data)).index["name"] == "alpha"
    with pytest.raises(PackageTooLarge) as caught:
        inspect(data, package_size=len(data) - 1)
    assert caught.value.detail() == {"size": len(data), "limit": len(data) - 1}
