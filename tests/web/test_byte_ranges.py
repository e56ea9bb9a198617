"""Byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.web.ranges import ByteRange, Unsatisfiable, select_range


@pytest.mark.parametrize(
    ("field", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=0-", 0, 10),
        ("bytes=3-", 3, 10),
        ("bytes=9-", 9, 10),
        ("bytes=3-5", 3, 6),
        ("bytes=3-3", 3, 4),
        ("bytes=3-10", 3, 10),
        ("bytes=3-99999999999999999999999999", 3, 10),
        ("bytes=0000000000000000000000003-5", 3, 6),
        ("bytes=-1", 9, 10),
        ("bytes=-10", 0, 10),
        ("bytes=-11", 0, 10),
        ("bytes=-99999999999999999999999999", 0, 10),
        ("Bytes=3-5", 3, 6),
        ("bytes= 3-5 ", 3, 6),
    ],
)
def test_one_range_is_selected(field: str, start: int, stop: int) -> None:
    assert select_range(field, 10) == ByteRange(start, stop)


@pytest.mark.parametrize(
    "field", ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999-", "bytes=-0", "bytes=-00"]
)
def test_a_range_behind_the_end_cannot_be_satisfied(field: str) -> None:
    assert select_range(field, 10) == Unsatisfiable()


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-3",
        "bytes=a-b",
        "bytes=1.5-3",
        "bytes=+1-3",
        "bytes=--3",
        "bytes=0x1-0x3",
        "bytes 1-3",
        "bytes=1 - 3",
        "bytes=1-3\n",
        "bytes=1-3/10",
        "bytes=\u0661-\u0663",
        "items=1-3",
        "none",
    ],
)
def test_what_is_no_byte_range_is_ignored(field: str | None) -> None:
    assert select_range(field, 10) is None


@pytest.mark.parametrize(
    "field", ["bytes=0-1,5-6", "bytes=0-1, 2-3", "bytes=0-0,-1", "bytes=20-30,40-50", "bytes=1-2,"]
)
def test_several_ranges_are_answered_with_the_whole(field: str) -> None:
    assert select_range(field, 10) is None


def test_nothing_can_be_selected_of_nothing() -> None:
    assert select_range("bytes=0-", 0) == Unsatisfiable()
    assert select_range("bytes=0-0", 0) == Unsatisfiable()
    assert select_range("bytes=-5", 0) is None
    assert select_range("bytes=-0", 0) == Unsatisfiable()


def test_content_range() -> None:
    assert ByteRange(3, 6).content_range(10) == "bytes 3-5/10"
    assert Unsatisfiable().content_range(10) == "bytes */10"


@given(
    field=st.one_of(st.text(), st.from_regex(r"bytes=[0-9]{0,25}-[0-9]{0,25}", fullmatch=True)),
    size=st.integers(0, 50),
)
@settings(deadline=None)
def test_a_selected_range_lies_within_and_is_not_empty(field: str, size: int) -> None:
    selected = select_range(field, size)

    if isinstance(selected, ByteRange):
        assert 0 <= selected.start < selected.stop <= size


def test_a_number_of_thousands_of_digits_is_no_error() -> None:
    digits = "9" * 8000

    assert select_range(f"bytes={digits}-", 10) == Unsatisfiable()
    assert select_range(f"bytes=0-{digits}", 10) == ByteRange(0, 10)
