"""Dates in header fields (RFC 9110, section 5.6.7)."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.web.fields import format_date, parse_date

EXAMPLE = 784111777


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_forms_of_the_standard_are_read(text: str) -> None:
    assert parse_date(text) == EXAMPLE


def test_the_preferred_form_is_written() -> None:
    assert format_date(EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(seconds=st.integers(0, 253402300799))
@settings(deadline=None)
def test_what_is_written_is_what_the_standard_library_writes_and_is_read_back(seconds: int) -> None:
    assert format_date(seconds) == formatdate(seconds, usegmt=True)
    assert parse_date(format_date(seconds)) == seconds


@pytest.mark.parametrize(("year", "full"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000)])
def test_years_of_two_digits(year: str, full: int) -> None:
    assert parse_date(f"Friday, 01-Jan-{year} 00:00:00 GMT") == parse_date(f"Fri, 01 Jan {full} 00:00:00 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1994 08:49:37 GMT",
        "Sun, 06 Okt 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "1994-11-06T08:49:37Z",
        "784111777",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_a_leap_second_is_a_date() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800
