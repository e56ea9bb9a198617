"""Counts, sizes and times are written for people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeld.pages.human import count, counted, moment, size


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1049, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (205_364_233, "205 MB"),
        (16 * 1024**3, "17.2 GB"),
        (5 * 10**12, "5.0 TB"),
        (10**15, "1.0 PB"),
        (2**63, "9,223 PB"),
    ],
)
def test_a_size_has_two_or_three_digits(octets: int, text: str) -> None:
    assert size(octets) == text


@given(st.integers(0, 10**18 - 10**15))
def test_no_size_below_the_last_unit_needs_four_digits(octets: int) -> None:
    assert re.fullmatch(r"\d{1,3} B|\d{1,2}\.\d [kMGTP]B|\d{3} [kMGTP]B", size(octets))


def test_counts_are_grouped_and_agree_with_their_noun() -> None:
    assert count(1_234_567) == "1,234,567"
    assert [counted(number, "package") for number in (0, 1, 2, 1234)] == [
        "0 packages",
        "1 package",
        "2 packages",
        "1,234 packages",
    ]


def test_a_time_is_to_the_minute_for_people_and_exact_for_machines() -> None:
    assert (
        moment(1_785_600_000_250) == '<time datetime="2026-08-01T16:00:00.250Z">2026-08-01 16:00 UTC</time>'
    )
    assert moment(0) == '<time datetime="1970-01-01T00:00:00.000Z">1970-01-01 00:00 UTC</time>'
    assert (
        moment(253_402_300_799_999) == '<time datetime="9999-12-31T23:59:59.999Z">9999-12-31 23:59 UTC</time>'
    )


@pytest.mark.parametrize("ms", [-1, 253_402_300_800_000, 10**30])
def test_a_time_outside_of_the_calendar_is_unknown(ms: int) -> None:
    assert moment(ms) == "unknown time"
