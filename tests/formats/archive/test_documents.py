"""The documents below info/ that have to be there, and what they have to be (CEP 34)."""

from __future__ import annotations

import pytest

from channeld.formats.archive.tar_rejections import DocumentMissing
from channeld.formats.metadata_rejections import DocumentMalformed
from channeld.formats.names import Naming
from tests.support.archives import CONDA, TAR_BZ2, inspect
from tests.support.packages import build_conda, build_tar_bz2


@pytest.mark.parametrize("naming", Naming)
def test_index_json_is_required_always(naming: Naming) -> None:
    for data, filename in (
        (build_conda("alpha", info={"index.json": None}), CONDA),
        (build_tar_bz2("alpha", info={"index.json": None}), TAR_BZ2),
    ):
        with pytest.raises(DocumentMissing) as caught:
            inspect(data, filename, naming)
        assert caught.value.detail() == {"path": "info/index.json"}


def test_paths_json_is_required_of_new_packages() -> None:
    with pytest.raises(DocumentMissing) as caught:
        inspect(build_conda("alpha", info={"paths.json": None}))
    assert caught.value.detail() == {"path": "info/paths.json"}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "index", [b"", b"{", b"[]", b"null", b'"x"', b"{'a': 1}", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'{"a": NaN}',
              b'{"a": "\\ud800"}', b"[" * 100_000, b'{"a":' * 2000]
)  # fmt: skip
def test_index_json_has_to_be_a_json_object(index: bytes, naming: Naming) -> None:
    with pytest.raises(DocumentMalformed) as caught:
        inspect(build_conda("alpha", info={"index.json": index}), CONDA, naming)
    assert caught.value.path == "info/index.json"


@pytest.mark.parametrize(
    "paths",
    [
        b"",
        b"[]",
        b"{}",
        b'{"paths": {}}',
        b'{"paths": ["x"]}',
        b'{"paths": [{}]}',
        b'{"paths": [{"_path": 1}]}',
    ],
)
def test_paths_json_has_to_list_paths(paths: bytes) -> None:
    data = build_conda("alpha", info={"paths.json": paths})
    with pytest.raises(DocumentMalformed) as caught:
        inspect(data)
    assert caught.value.path == "info/paths.json"
    assert inspect(data, CONDA, Naming.LEGACY).index["name"] == "alpha"


def test_about_json_may_be_absent_or_broken() -> None:
    for about in (None, b"", b"[", b"[]"):
        assert inspect(build_conda("alpha", info={"about.json": about})).index["name"] == "alpha"
