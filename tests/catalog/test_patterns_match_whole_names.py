"""Rule: in a pattern ``*`` is any run and ``?`` any one character; a match never takes long."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.catalog.grants import PATTERN_LIMIT, matches

FEW = "ab-/"


@settings(deadline=None, max_examples=500)
@given(st.text(FEW + "*?", max_size=10), st.text(FEW, max_size=12))
def test_it_agrees_with_fnmatch(pattern: str, name: str) -> None:
    assert matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


@settings(deadline=None)
@given(st.text(FEW, max_size=12), st.data())
def test_a_name_with_parts_left_out_matches_itself(name: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(name)))
    end = data.draw(st.integers(start, len(name)))

    assert matches(name, name)
    assert matches(f"{name[:start]}*{name[end:]}", name)
    assert matches(name[:start] + "?" * (end - start) + name[end:], name)
    assert not matches(name[:start] + "?" * (end - start + 1) + name[end:], name)


@pytest.mark.parametrize(
    ("pattern", "name", "matched"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("?", "", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),  # the two ends may not share a character
        ("ab*bc", "abc", False),
        ("*b*", "abc", True),
        ("a*b*c", "abc", True),
        ("a**c", "ac", True),
        ("dev", "dev2", False),
        ("dev*", "dev/nightly", True),
        ("numpy", "NumPy", False),
        ("[ab]", "a", False),
        (".*", "x", False),
        ("a.c", "abc", False),
    ],
)
def test_what_matches(pattern: str, name: str, matched: bool) -> None:
    assert matches(pattern, name) is matched


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * (PATTERN_LIMIT // 2),
        "*" * PATTERN_LIMIT,
        "*" + "?" * (PATTERN_LIMIT - 2) + "b",
        "a*" * (PATTERN_LIMIT // 2 - 1) + "b",
        ("*" + "a" * 15) * (PATTERN_LIMIT // 16),
        ("*" + "a" * 62 + "b") * (PATTERN_LIMIT // 64),
    ],
)
def test_hostile_patterns_take_no_time(pattern: str) -> None:
    """A matcher that tries every way to divide the name would not be done in the age of the universe."""
    started = time.perf_counter()

    for name in ("a" * 256, "a" * 255 + "c", "ab" * 128):
        matches(pattern, name)

    assert time.perf_counter() - started < 0.5
