"""Rule: an output is published by the feedstocks that have it; a new one needs a registration or a glob."""

from __future__ import annotations

import pytest

from channeld.formats.rejections import BadName
from channeld.promotion.globs import GlobMalformed
from channeld.promotion.outputs import Globs, OutputTooShort, Registry, Standing, bare, standing

REGISTRY = Registry(
    {"numpy": ("numpy",), "clang": ("clangdev", "ctng"), "libllvm18": ("llvmdev",), "nobodys": ()},
    Globs({"llvmdev": ("libllvm*", "llvm-[0-9]*"), "other": ("libllvm*",)}),
)


@pytest.mark.parametrize(
    ("output", "feedstock", "expected"),
    [
        ("numpy", "numpy", Standing.REGISTERED),
        ("NumPy", "numpy", Standing.REGISTERED),
        ("clang", "ctng", Standing.REGISTERED),
        ("numpy", "clangdev", Standing.FOREIGN),
        ("numpy-extra", "numpy", Standing.UNKNOWN),
        ("numpy", "nobody", Standing.FOREIGN),
        ("libllvm18", "llvmdev", Standing.REGISTERED),
        ("libllvm18", "other", Standing.MATCHED),
        ("libllvm19", "llvmdev", Standing.NEW),
        ("libllvm19", "other", Standing.NEW),
        ("libllvm19", "numpy", Standing.FOREIGN),
        ("LibLLVM19", "llvmdev", Standing.UNKNOWN),
        ("llvm-19", "llvmdev", Standing.NEW),
        ("llvm-tools", "llvmdev", Standing.UNKNOWN),
        ("nobodys", "numpy", Standing.UNKNOWN),
    ],
)
def test_how_an_output_stands_to_a_feedstock(output: str, feedstock: str, expected: Standing) -> None:
    assert REGISTRY.standing(output, feedstock) is expected
    assert REGISTRY.allowed(output, feedstock) is (
        expected in (Standing.REGISTERED, Standing.MATCHED, Standing.NEW)
    )
    assert (feedstock in REGISTRY.owners(output)) is REGISTRY.allowed(output, feedstock)


@pytest.mark.parametrize(
    ("registered", "matched", "expected"),
    [
        (None, (), Standing.UNKNOWN),
        (None, ("f",), Standing.NEW),
        (None, ("g",), Standing.FOREIGN),
        ((), (), Standing.UNKNOWN),
        ((), ("f",), Standing.MATCHED),
        (("f",), (), Standing.REGISTERED),
        (("g",), (), Standing.FOREIGN),
        (("g",), ("f",), Standing.MATCHED),
        (("f", "g"), ("f",), Standing.REGISTERED),
    ],
)
def test_the_rule_without_a_registry(
    registered: tuple[str, ...] | None, matched: tuple[str, ...], expected: Standing
) -> None:
    assert standing("f", registered, matched) is expected


def test_a_known_feedstock_gets_no_new_output_by_itself() -> None:
    assert not REGISTRY.allowed("numpy2", "numpy")
    assert REGISTRY.registering("numpy2", "numpy").allowed("numpy2", "numpy")


def test_registering_makes_another_value_and_the_same_again_does_not() -> None:
    more = REGISTRY.registering("NumPy", "clangdev")
    assert more.outputs["numpy"] == ("numpy", "clangdev")
    assert REGISTRY.outputs["numpy"] == ("numpy",)
    assert more.registering("numpy", "clangdev") is more
    assert more.globs is REGISTRY.globs


def test_an_output_that_a_glob_gave_stays_when_the_glob_goes() -> None:
    registered = REGISTRY.registering("libllvm19", "llvmdev")
    without = Registry(registered.outputs, Globs())
    assert (without.allowed("libllvm19", "llvmdev"), without.allowed("libllvm20", "llvmdev")) == (True, False)


def test_what_is_asked_for_is_an_output_or_a_glob() -> None:
    added = REGISTRY.adding("numpy-tests", "numpy").adding("numpy-*", "numpy").adding("numpy-*", "numpy")
    assert added.outputs["numpy-tests"] == ("numpy",)
    assert added.globs.by_feedstock["numpy"] == ("numpy-*",)
    assert added.allowed("numpy-docs", "numpy")
    assert "numpy" not in REGISTRY.globs.by_feedstock


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("n", OutputTooShort),
        ("*", OutputTooShort),
        ("**", GlobMalformed),
        ("a b", BadName),
        ("../x", BadName),
        ("", BadName),
    ],
)
def test_what_is_neither_is_refused(entry: str, rule: type[Exception]) -> None:
    with pytest.raises(rule):
        REGISTRY.adding(entry, "numpy")


@pytest.mark.parametrize(
    ("repository", "feedstock"),
    [
        ("numpy-feedstock", "numpy"),
        ("staged-recipes", "staged-recipes"),
        ("a-feedstock-b", "a-feedstock-b"),
        ("x-feedstock-feedstock", "x-feedstock"),
    ],
)
def test_a_repository_is_named_after_its_feedstock(repository: str, feedstock: str) -> None:
    assert bare(repository) == feedstock
