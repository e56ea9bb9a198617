"""run_exports out of a package, in the form of CEP 12, from both files that tools have written (CEP 34)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channeld.formats.metadata_rejections import RunExportsMalformed
from channeld.formats.names import Naming
from tests.support.archives import CONDA, inspect
from tests.support.packages import build_conda


def run_exports(info: dict[str, bytes | None], naming: Naming = Naming.STRICT) -> Any:
    return inspect(build_conda("alpha", info=info), CONDA, naming).run_exports


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ([], {}),
        (["a >=1"], {"weak": ["a >=1"]}),
        ({"weak": ["a >=1"], "strong": ["b"]}, {"weak": ["a >=1"], "strong": ["b"]}),
        ({"noarch": ["c"], "weak_constrains": ["d"]}, {"noarch": ["c"], "weak_constrains": ["d"]}),
        ({"strong_constrains": ["e"], "schema_version": 2}, {"strong_constrains": ["e"]}),
        ({}, {}),
    ],
)
def test_the_forms_of_cep_34(written: Any, read: Any, naming: Naming) -> None:
    assert run_exports({"run_exports.json": json.dumps(written).encode()}, naming) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"- a >=1\n- b\n", {"weak": ["a >=1", "b"]}),
        (b"weak:\n  - a >=1\nstrong: [b]\n", {"weak": ["a >=1"], "strong": ["b"]}),
    ],
)
def test_the_yaml_of_old_conda_build_is_read(written: bytes, read: Any) -> None:
    assert run_exports({"run_exports.yaml": written}) == read


def test_json_goes_before_yaml() -> None:
    assert run_exports({"run_exports.json": b'["a"]', "run_exports.yaml": b"- b"}) == {"weak": ["a"]}


@pytest.mark.parametrize("naming", Naming)
def test_json_that_is_none_is_refused(naming: Naming) -> None:
    with pytest.raises(RunExportsMalformed) as caught:
        run_exports({"run_exports.json": b"{"}, naming)
    assert caught.value.path == "info/run_exports.json"


@pytest.mark.parametrize(
    "written",
    [b'"a"', b"1", b"null", b'{"weak": "a"}', b'{"other": ["a"]}', b'{"weak": [1]}', b'{"weak": {}}'],
)
def test_other_forms_are_refused_of_new_packages(written: bytes) -> None:
    with pytest.raises(RunExportsMalformed):
        run_exports({"run_exports.json": written})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"weak": "a"}', {"weak": ["a"]}),
        (b'{"other": ["a"]}', {}),
        (b"1", {}),
        (b'{"weak": [1, "a"]}', {"weak": ["a"]}),
    ],
)
def test_of_old_packages_what_has_a_meaning_is_kept(written: bytes, read: Any) -> None:
    assert run_exports({"run_exports.json": written}, Naming.LEGACY) == read


@pytest.mark.parametrize(
    "written",
    [b"a: &a [b]\nc: *a", b"[" * 50_000, b"weak: {<<: {a: b}}", b"{", b"- !!python/object:os.system [x]"],
)
def test_yaml_that_is_an_attack_or_broken_is_refused(written: bytes) -> None:
    with pytest.raises(RunExportsMalformed):
        run_exports({"run_exports.yaml": written})
