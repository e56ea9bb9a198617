"""Fields that rattler reads as one string are one; a list there makes it lose the package name."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import FieldMistyped
from channeld.formats.names import Naming
from tests.support.record_making import fields_with, record_with

TEXTS = ["license", "license_family", "features", "track_features", "python_site_packages_path"]


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", TEXTS)
def test_strings_pass(field: str, policy: Naming) -> None:
    assert fields_with(policy, **{field: "some text"})[field] == "some text"


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("license", ["MIT", "BSD"], "MIT, BSD"),
        ("license_family", [], ""),
        ("features", ["a", "b"], "a b"),
        ("track_features", ["a", "b"], "a b"),
    ],
)
def test_lists_are_joined_as_legacy_only(field: str, written: Any, read: str) -> None:
    assert fields_with(Naming.LEGACY, **{field: written})[field] == read
    with pytest.raises(FieldMistyped):
        record_with(**{field: written})


@pytest.mark.parametrize("policy", Naming)
def test_empty_track_features_are_dropped(policy: Naming) -> None:
    # rattler counts an empty text as one feature, and ranks the package lower.
    assert "track_features" not in fields_with(policy, track_features="")
    assert "track_features" not in fields_with(Naming.LEGACY, track_features=[])
    assert fields_with(policy, features="")["features"] == ""


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("written", [1, True, {"a": "b"}, [1]])
def test_other_types_are_refused(field: str, written: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped) as caught:
        record_with(policy, **{field: written})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("legacy_bz2_md5", "0123456789abcdef" * 2, ["x", "", 1, "0" * 31, "G" * 32]),
        ("legacy_bz2_size", 7, ["7", -1, 7.0, True]),
        (
            "purls",
            ["pkg:pypi/numpy", "pkg:github/a/b@v1"],
            ["pkg:pypi/x", ["x"], [1], ["pkg:"], ["pkg:pypi/ x"]],
        ),
    ],
)
def test_what_rattler_parses_is_checked_and_in_old_packages_dropped(
    field: str, good: Any, bad: list[Any]
) -> None:
    for policy in Naming:
        assert fields_with(policy, **{field: good})[field] == good
    for value in bad:
        assert field not in fields_with(Naming.LEGACY, **{field: value})
        with pytest.raises(FieldMistyped):
            record_with(**{field: value})
