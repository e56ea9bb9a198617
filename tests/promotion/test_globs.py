"""Rule: a glob means what Python's fnmatch says, takes no time, and is found among a million."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.promotion.globs import GLOB_LIMIT, GlobIndex, GlobMalformed, check_glob, is_glob

FEW = "ab-1"


@settings(deadline=None, max_examples=1000)
@given(st.text(FEW + "*?[]!^\\&~|", max_size=10), st.text(FEW + "[]!", max_size=8))
def test_the_index_agrees_with_fnmatch(glob: str, name: str) -> None:
    found = GlobIndex({"f": [glob]}).feedstocks(name)
    assert (found == {"f"}) is fnmatch.fnmatchcase(name, glob)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(st.sampled_from("fgh"), st.lists(st.text(FEW + "*?", max_size=6), max_size=6)), st.data()
)
def test_the_index_finds_all_feedstocks_and_no_other(
    globs: dict[str, list[str]], data: st.DataObject
) -> None:
    name = data.draw(st.text(FEW, max_size=6))
    expected = {
        f for f, patterns in globs.items() if any(fnmatch.fnmatchcase(name, glob) for glob in patterns)
    }
    assert GlobIndex(globs).feedstocks(name) == expected


@pytest.mark.parametrize(
    ("glob", "name", "matched"),
    [
        ("libllvm*", "libllvm19", True),
        ("libllvm*", "libllvm", True),
        ("libllvm*", "xlibllvm19", False),
        ("*-devel", "llvm-devel", True),
        ("lib?vm", "libavm", True),
        ("clang-[0-9]*", "clang-19", True),
        ("clang-[!0-9]*", "clang-19", False),
        ("clang-[!0-9]*", "clang-format", True),
        ("a[]]b", "a]b", True),
        ("a[b", "a[b", True),
        ("LLVM*", "llvm", False),
        ("a.c", "abc", False),
    ],
)
def test_what_matches(glob: str, name: str, matched: bool) -> None:
    assert (GlobIndex({"f": [glob]}).feedstocks(name) == {"f"}) is matched


@pytest.mark.parametrize(
    "glob",
    [
        "*a" * (GLOB_LIMIT // 2),
        "*" * GLOB_LIMIT,
        "*" + "?" * (GLOB_LIMIT - 2) + "b",
        "a*" * (GLOB_LIMIT // 2 - 1) + "b",
        ("*" + "a" * 15) * (GLOB_LIMIT // 16),
        "*[ab]" * (GLOB_LIMIT // 5 - 1) + "c",
        "*[!c]*" * (GLOB_LIMIT // 6 - 1) + "c",
        "*[ab]*a*[!c]*" * (GLOB_LIMIT // 13 - 1) + "d",
    ],
)
def test_hostile_globs_take_no_time(glob: str) -> None:
    index = GlobIndex({"f": [glob]})
    started = time.perf_counter()
    for name in ("a" * 256, "a" * 255 + "e", "ab" * 128):
        index.feedstocks(name)
    assert time.perf_counter() - started < 1


def test_many_globs_of_every_form_stay_quick() -> None:
    """Each form has its letters elsewhere."""
    count = 20_000
    forms = ("lib{}-*", "*-lib{}", "pre{}[0-9]*", "*lib{}*", "exact{}")
    index = GlobIndex({f"f{n}": [form.format(n) for form in forms] for n in range(count // len(forms))})
    names = [f"lib{n}-x" for n in range(0, count // len(forms), 100)]
    index.feedstocks("warm")
    started = time.perf_counter()
    found = [index.feedstocks(name) for name in names]
    assert time.perf_counter() - started < 2
    assert all(f"f{n}" in each for n, each in zip(range(0, count // len(forms), 100), found, strict=True))


@pytest.mark.parametrize(
    ("text", "glob"),
    [("numpy", False), ("libllvm*", True), ("a?b", True), ("[ab]", True), ("a]", True), ("a!", True)],
)
def test_what_conda_forge_takes_for_a_glob(text: str, glob: bool) -> None:
    assert is_glob(text) is glob


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "**",
        "*?",
        "?" * 9,
        "",
        "a",
        "a" * (GLOB_LIMIT + 1),
        "a*\n",
        "a\0*",
        "[a-z]*",
        "*[!-]",
        "[a-z][a-z0-9]*",
    ],
)
def test_what_means_everything_or_nothing_is_refused(text: str) -> None:
    with pytest.raises(GlobMalformed):
        check_glob(text)


def test_a_glob_that_names_something_is_taken() -> None:
    assert check_glob("libllvm*") == "libllvm*"
