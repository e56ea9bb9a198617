"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999


def count(number: int) -> str:
    """Write a number with commas between the thousands: 1,234."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """Write how many there are of something: "1 package", "1,234 packages"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(octets: int) -> str:
    """Write bytes with two or three digits in the decimal unit that fits: 999 B, 1.2 MB, 123 MB."""
    if octets < 1000:
        return f"{octets} B"
    value = float(octets)
    for unit in _UNITS:
        value /= 1000
        if value < 99.95:
            return f"{value:.1f} {unit}"
        if value < 999.5 or unit == _UNITS[-1]:
            return f"{value:,.0f} {unit}"
    raise AssertionError("the last unit takes everything")


def moment(ms: int) -> Markup:
    """Write a time as a ``<time>`` element in UTC, to the minute for the eye and to the millisecond for machines.

    What HTML cannot say (a year after 9999, or before 1970) is an unknown time: the pages outlive a wrong clock.
    """
    if not 0 <= ms <= _LAST_MS:
        return Markup("unknown time")
    when = _EPOCH + timedelta(milliseconds=ms)
    exact = when.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}Z"
    return Markup('<time datetime="{}">{}</time>').format(exact, when.strftime("%Y-%m-%d %H:%M UTC"))
