"""Package names: CEP 26, "Package names"."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.names import Naming, check_package_name
from channeld.formats.rejections import (
    BadName,
    IdentifierTooLong,
    PackageNameMalformed,
    PackageNameVirtual,
)

#: The pattern as CEP 26 prints it. It backtracks, so it sees short names only.
CEP_26 = re.compile(r"(([a-z0-9])|([a-z0-9_](?!_)))[._-]?([a-z0-9]+(\.|-|_|$))*")


@pytest.mark.parametrize(
    "name", ["a", "7zip", "_libgcc_mutex", "ruamel.yaml", "a-b_c.d", "r-base", "x" * 64, "foo-", "_"]
)
def test_names_of_cep_26_pass_unchanged(name: str) -> None:
    assert check_package_name(name) == name
    assert check_package_name(name, Naming.LEGACY) == name


@pytest.mark.parametrize("name", ["Foo", "foo--bar", "foo._bar", "foo-_"])
def test_names_from_before_the_rules_pass_only_as_legacy(name: str) -> None:
    assert check_package_name(name, Naming.LEGACY) == name
    with pytest.raises(PackageNameMalformed) as caught:
        check_package_name(name)
    assert caught.value.detail() == {"name": name}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "name",
    [
        "",
        "-a",
        ".a",
        "..",
        "a/b",
        "a\\b",
        "a b",
        "a\n",
        "a\0",
        "é",
        "a%2f",
        "a:b",
        "a[b]",
        "\udc80",
        "a*",
        "<b>",
        "+a",
    ],
)
def test_other_texts_are_no_names_under_any_policy(name: str, naming: Naming) -> None:
    with pytest.raises(PackageNameMalformed):
        check_package_name(name, naming)


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("name", ["__cuda", "__glibc", "__", "__anaconda_core_depends"])
def test_virtual_packages_are_always_refused(name: str, naming: Naming) -> None:
    with pytest.raises(PackageNameVirtual) as caught:
        check_package_name(name, naming)
    assert caught.value.detail() == {"name": name}


@pytest.mark.parametrize("naming", Naming)
def test_a_name_of_65_characters_is_too_long(naming: Naming) -> None:
    with pytest.raises(IdentifierTooLong) as caught:
        check_package_name("x" * 65, naming)
    assert caught.value.detail() == {"what": "package name", "value": "x" * 65, "length": 65, "limit": 64}


def test_the_pattern_of_cep_26_would_hang_where_ours_does_not() -> None:
    started = time.perf_counter()
    with pytest.raises(PackageNameMalformed):
        check_package_name("a" * 63 + "!")
    with pytest.raises(IdentifierTooLong):
        check_package_name("a" * 10_000_000)
    assert time.perf_counter() - started < 1


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="ab0._-", min_size=1, max_size=12))
def test_what_passes_is_what_the_text_of_cep_26_says(name: str) -> None:
    doubled = re.search(r"[._-]{2}", name) is not None
    expected = CEP_26.fullmatch(name) is not None and not doubled
    try:
        check_package_name(name)
    except BadName:
        passed = False
    else:
        passed = True
    assert passed == expected


@settings(deadline=None)
@given(st.text(max_size=80))
def test_whatever_passes_is_one_plain_path_component(name: str) -> None:
    for naming in Naming:
        try:
            check_package_name(name, naming)
        except BadName:
            continue
        assert name.isascii()
        assert name not in {"", ".", ".."}
        assert not set(name) & set("/\\:%?#*<>|\"' \0\n")
