"""The ``timestamp`` of a record: milliseconds today, seconds in old packages (CEP 34)."""

from __future__ import annotations

from typing import Final

#: The end of the year 9999 in seconds. What is larger was meant as milliseconds.
_LAST_SECOND: Final = 253_402_300_799


def milliseconds(timestamp: object) -> int:
    """Read a record's timestamp as milliseconds since 1970; 0 where it has none (a float is none: CEP 34)."""
    if not isinstance(timestamp, int):
        return 0
    return timestamp if timestamp > _LAST_SECOND else timestamp * 1000
