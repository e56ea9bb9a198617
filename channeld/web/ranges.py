"""Byte ranges (RFC 9110, section 14) as pure functions of the ``Range`` field and a size.

One range is honoured. Of several the field is ignored, as section 14.2 allows, and the whole is sent: no client of
conda asks for several, and answers in many parts are a known way to make a server work for nothing.
A field that is not valid, or not in bytes, is ignored too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ONE_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)

# More digits than any size has; without a limit int() itself refuses a number of 4,300 digits.
_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from ``start`` up to, and without, ``stop``. It is never empty."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """Return the value of ``Content-Range`` for a 206 (section 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """A valid range that begins behind the end."""

    def content_range(self, size: int) -> str:
        """Return the value of ``Content-Range`` for a 416 (section 14.4)."""
        return f"bytes */{size}"


def select_range(field: str | None, size: int) -> ByteRange | Unsatisfiable | None:
    """Return what a ``Range`` field selects of a representation of ``size`` bytes. None: send the whole.

    A suffix of an empty representation selects nothing that a 206 could express, so it is sent whole.
    """
    found = None if field is None else _ONE_RANGE.fullmatch(field)
    if found is None:
        return None
    first, last = (_position(digits) for digits in found.groups())
    if first is None:
        return _suffix(last, size)
    if last is not None and last < first:
        return None
    if first >= size:
        return Unsatisfiable()
    return ByteRange(first, size if last is None else min(last + 1, size))


def _suffix(length: int | None, size: int) -> ByteRange | Unsatisfiable | None:
    if length == 0:
        return Unsatisfiable()
    if length is None or size == 0:
        return None
    return ByteRange(max(size - length, 0), size)


def _position(digits: str) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _DIGITS else 10**_DIGITS
