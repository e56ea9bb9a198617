"""Build strings: CEP 26, "Builds strings"."""

from __future__ import annotations

import pytest

from channeld.formats.names import Naming, check_build
from channeld.formats.rejections import BuildMalformed, IdentifierTooLong


@pytest.mark.parametrize("build", ["0", "py37_1000", "h4616a5c_0", "MKL.1+2", "_", "x" * 64])
def test_builds_of_cep_26_pass_unchanged(build: str) -> None:
    assert check_build(build) == build


@pytest.mark.parametrize("build", ["np110py35_p0!", "py27_0~r1"])
def test_odd_builds_pass_only_as_legacy(build: str) -> None:
    assert check_build(build, Naming.LEGACY) == build
    with pytest.raises(BuildMalformed) as caught:
        check_build(build)
    assert caught.value.detail() == {"build": build}


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "build", ["", "a-b", "a b", "a/b", "a\\b", "a\0", "a\n", "é", "a*", "a,b", "a[b]", "a%20"]
)
def test_other_texts_are_no_builds_under_any_policy(build: str, naming: Naming) -> None:
    with pytest.raises(BuildMalformed):
        check_build(build, naming)


def test_a_build_of_65_characters_is_too_long() -> None:
    with pytest.raises(IdentifierTooLong):
        check_build("x" * 65)
