"""Records that old clients would misread stand in v3, with their dependencies in brackets (CEP 43, 44, 45, 48)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channeld.formats.metadata_rejections import (
    DependencyMalformed,
    DependencyNotAllowed,
    ExtraGroupMalformed,
    FieldMistyped,
    FlagMalformed,
    SchemaVersionUnknown,
)
from channeld.formats.names import Naming
from channeld.formats.record import Section
from tests.support.record_making import record_with

REASONS: list[dict[str, Any]] = [
    {"schema_version": 3},
    {"repodata_revision": 3},
    {"depends": ['numpy[when="python>=3"]']},
    {"depends": ["numpy[extras=[test]]"]},
    {"constrains": ["numpy[flags=[cuda]]"]},
    {"extra_depends": {"test": ["pytest"]}},
    {"flags": ["cuda", "blas:mkl"]},
]


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_each_reason_moves_the_record_to_v3(reason: dict[str, Any], policy: Naming) -> None:
    conda = record_with(policy, **reason)
    assert (conda.section, conda.key) == (Section.V3_CONDA, "alpha-1.0-0")
    assert conda.section.is_v3
    tar_bz2 = record_with(policy, "alpha-1.0-0.tar.bz2", **reason)
    assert (tar_bz2.section, tar_bz2.key) == (Section.V3_TAR_BZ2, "alpha-1.0-0")


@pytest.mark.parametrize(
    "classic",
    [
        {"schema_version": 2},
        {"schema_version": 0},
        {"extra_depends": {}},
        {"flags": []},
        {"depends": ["a[version='>=1']"]},
    ],
    ids=str,
)
def test_all_others_stay_where_old_clients_look(classic: dict[str, Any]) -> None:
    record = record_with(**classic)
    assert record.section is Section.PACKAGES_CONDA
    assert b"flags" not in record.fields
    assert b"extra_depends" not in record.fields


def test_dependencies_are_written_in_brackets() -> None:
    record = record_with(
        schema_version=3,
        depends=[
            "pip",
            "python >=3.10",
            "numpy 1.26.* *_mkl",
            'typing >=4[when="python>=3.9"]',
            "x[extras=[a,b]]",
        ],
        constrains=["foo =1.2", "bar ==2"],
        extra_depends={"test": ["pytest >=8", "coverage"]},
    )
    fields = json.loads(record.fields)
    assert fields["depends"] == [
        "pip",
        'python[version=">=3.10"]',
        'numpy[version="1.26.*",build="*_mkl"]',
        'typing[version=">=4",when="python>=3.9"]',
        "x[extras=[a,b]]",
    ]
    assert fields["constrains"] == ['foo[version="1.2.*"]', 'bar[version="==2"]']
    assert fields["extra_depends"] == {"test": ['pytest[version=">=8"]', "coverage"]}


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    ("spec", "key"),
    [
        ("conda-forge::numpy", "channel"),
        ("numpy[md5=d41d8cd98f00b204e9800998ecf8427e]", "md5"),
        ("numpy[subdir=linux-64]", "subdir"),
        ("numpy[license=MIT]", "license"),
    ],
)
def test_other_constraints_are_not_allowed_there(spec: str, key: str, policy: Naming) -> None:
    with pytest.raises(DependencyNotAllowed) as caught:
        record_with(policy, schema_version=3, depends=[spec])
    assert caught.value.detail() == {"field": "depends", "spec": spec, "key": key}


@pytest.mark.parametrize("policy", Naming)
def test_what_cannot_be_parsed_cannot_be_written_in_brackets(policy: Naming) -> None:
    with pytest.raises(DependencyMalformed):
        record_with(policy, schema_version=3, depends=["foo 1.0*.*"])
    with pytest.raises(DependencyMalformed):
        record_with(policy, extra_depends={"test": ["foo@x"]})


def test_a_condition_within_a_condition_is_refused() -> None:
    with pytest.raises(DependencyMalformed):
        record_with(depends=["""numpy[when="a[when='b']"]"""])


@pytest.mark.parametrize("policy", Naming)
def test_schemas_that_nobody_knows_yet_are_refused(policy: Naming) -> None:
    with pytest.raises(SchemaVersionUnknown) as caught:
        record_with(policy, schema_version=4)
    assert caught.value.detail() == {"version": 4}


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("version", ["3", 3.0, -1, True, [], {}])
def test_a_schema_version_is_an_integer(version: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, schema_version=version)


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("group", ["", "Test", "a b", "x" * 65, "é"])
def test_names_of_groups(group: str, policy: Naming) -> None:
    with pytest.raises(ExtraGroupMalformed):
        record_with(policy, extra_depends={group: []})


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("value", [[], "x", {"test": "pytest"}, {"test": [1]}, {"test": None}])
def test_types_of_groups(value: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, extra_depends=value)


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("flag", ["", "A", "a:b:c", ":", "a:", "a-b", 1, None, ["a"], "a\n"])
def test_flags(flag: Any, policy: Naming) -> None:
    with pytest.raises(FlagMalformed):
        record_with(policy, flags=[flag])
    with pytest.raises(FieldMistyped):
        record_with(policy, flags="cuda")
