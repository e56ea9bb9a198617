"""Versions: CEP 26, "Version strings", and CEP 33."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import Version

from channeld.formats.names import Naming, check_version
from channeld.formats.rejections import BadName, IdentifierTooLong, VersionMalformed


@pytest.mark.parametrize(
    "version",
    [
        "1",
        "1.0",
        "1.0.1_",
        "1!2.0",
        "1.0+local",
        "1!1.0_1+a.1",
        "2147483647",
        "1.0.dev0",
        "a",
        "2020a",
        "1.0.1k",
        "0.0.0",
    ],
)
def test_versions_of_cep_33_pass_unchanged(version: str) -> None:
    assert check_version(version) == version
    assert check_version(version, Naming.LEGACY) == version


@pytest.mark.parametrize("version", ["1.0__", "1.0A", "2147483648", "202011201530", "1.0RC1"])
def test_versions_from_before_the_rules_pass_only_as_legacy(version: str) -> None:
    assert check_version(version, Naming.LEGACY) == version
    with pytest.raises(VersionMalformed) as caught:
        check_version(version)
    assert caught.value.detail() == {"version": version}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "version",
    ["", ".", "..", "1..0", "1.", ".1", "1._2", "1-0", "1!!2", "1!2!3", "!1", "1+", "1+a+b", "1.*", "1 0", "1\n", "1/0",
     "é", "9" * 20],
)  # fmt: skip
def test_what_rattler_cannot_parse_or_a_file_name_cannot_hold_is_refused(
    version: str, naming: Naming
) -> None:
    with pytest.raises(VersionMalformed):
        check_version(version, naming)


@pytest.mark.parametrize("naming", Naming)
def test_a_version_of_65_characters_is_too_long(naming: Naming) -> None:
    with pytest.raises(IdentifierTooLong):
        check_version("1" * 65, naming)


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="019ab._+!-A", min_size=1, max_size=20))
def test_whatever_passes_can_be_ordered_and_strict_is_the_narrower_policy(version: str) -> None:
    passed = set()
    for naming in Naming:
        try:
            check_version(version, naming)
        except BadName:
            continue
        passed.add(naming)
    assert passed in (set(), {Naming.LEGACY}, set(Naming))
    if passed:
        assert Version(version) == Version(version)
        assert "-" not in version
