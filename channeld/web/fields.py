"""Header fields as text: several lines of one field joined, and dates written and read (RFC 9110, section 5)."""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache
from typing import Final

from multidict import MultiMapping

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# Section 5.6.7: every recipient has to read all three.
_IMF_FIXDATE: Final = re.compile(
    rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"
)
_RFC_850: Final = re.compile(
    rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"
)
_ASCTIME: Final = re.compile(
    rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9 ][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"
)


def combined(headers: MultiMapping[str], name: str) -> str | None:
    """Return the value of a list-based field, its lines joined by commas (section 5.3), or None without the field."""
    lines = headers.getall(name, None)
    if lines is None:
        return None
    return lines[0] if len(lines) == 1 else ", ".join(lines)


@lru_cache(maxsize=4096)
def format_date(seconds: int) -> str:
    """Write Unix seconds as an HTTP date."""
    # Not strftime: its names of days and months follow the locale.
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


@lru_cache(maxsize=1024)
def parse_date(text: str) -> int | None:
    """Read an HTTP date as Unix seconds, or return None for what is none. The day of the week is not checked."""
    found = _IMF_FIXDATE.fullmatch(text) or _ASCTIME.fullmatch(text) or _RFC_850.fullmatch(text)
    if found is None:
        return None
    year, day = int(found["year"]), int(found["day"])
    if len(found["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    month = _MONTHS.index(found["month"]) + 1
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if (
        year < 1
        or not 1 <= day <= calendar.monthrange(year, month)[1]
        or hour > 23
        or minute > 59
        or second > 60
    ):
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
