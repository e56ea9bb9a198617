"""depends and constrains are lists of match specifications (CEP 29, CEP 34)."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import DependencyMalformed, FieldMistyped
from channeld.formats.names import Naming
from tests.support.record_making import ABSENT, fields_with, record_with

REAL = [
    "python",
    "python >=3.8,<3.9.0a0",
    "python 3.8.* *_cpython",
    "python >=2.7,<3a0|>=3.5",
    "libblas * *mkl",
    "numpy 1.26*",
    "numpy >=1.19.*",
    "openssl >=1.0.1_",
    "R-base >=4.3,<4.4.0a0",
    "__glibc >=2.17,<3.0.a0",
    "foo ~=1.2",
    "foo !=1.2.*",
    "foo=1.0=0",
    "foo[version='>=1',build='x*']",
    "conda-forge::foo",
]


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", ["depends", "constrains"])
def test_real_specs_pass_as_they_are(field: str, policy: Naming) -> None:
    assert fields_with(policy, **{field: REAL})[field] == REAL


@pytest.mark.parametrize("policy", Naming)
def test_without_depends_the_list_is_empty_and_constrains_stays_away(policy: Naming) -> None:
    fields = fields_with(policy, depends=ABSENT)
    assert fields["depends"] == []
    assert "constrains" not in fields
    assert fields_with(policy, depends=None)["depends"] == []


@pytest.mark.parametrize("field", ["depends", "constrains"])
@pytest.mark.parametrize(
    ("written", "read"), [("python", ["python"]), ("python >=3", ["python >=3"]), ("", []), (" ", [])]
)
def test_a_lone_string_passes_as_legacy_only(field: str, written: str, read: list[str]) -> None:
    changes: dict[str, Any] = {field: written}
    assert fields_with(Naming.LEGACY, **changes)[field] == read
    with pytest.raises(FieldMistyped) as caught:
        record_with(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", ["depends", "constrains"])
@pytest.mark.parametrize("written", [1, True, {}, {"python": "3"}, [1], [None], ["a", ["b"]], [{}]])
def test_other_types_are_refused(field: str, written: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, **{field: written})


@pytest.mark.parametrize("field", ["depends", "constrains"])
@pytest.mark.parametrize(
    "spec",
    [
        "",
        "*",
        "foo 1.0*.*",
        "foo@mkl",
        "foo >=1 *[x]",
        "foo ==",
        "foo\n",
        "foo\0",
        "foo " + "x" * 3000,
        "foo*",
    ],
)
def test_what_rattler_cannot_parse_passes_as_legacy_only(field: str, spec: str) -> None:
    changes: dict[str, Any] = {field: ["python", spec]}
    with pytest.raises(DependencyMalformed) as caught:
        record_with(**changes)
    assert caught.value.field == field
    assert fields_with(Naming.LEGACY, **changes)[field] == ["python", spec]


@pytest.mark.parametrize("policy", Naming)
def test_what_makes_rattler_crash_is_refused_always(policy: Naming) -> None:
    with pytest.raises(DependencyMalformed):
        record_with(policy, depends=["foo[build_number=99999999999999999999]"])
