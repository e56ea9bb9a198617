"""A record's timestamp may be seconds or milliseconds (CEP 34)."""

from __future__ import annotations

import pytest

from channeld.formats.timestamps import milliseconds


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1_700_000_000_123, 1_700_000_000_123),
        (1_700_000_000, 1_700_000_000_000),
        (253_402_300_799, 253_402_300_799_000),
        (253_402_300_800, 253_402_300_800),
        (0, 0),
        (None, 0),
        ("1700000000", 0),
        (1_700_000_000.5, 0),
    ],
)
def test_a_timestamp_is_read_as_milliseconds(timestamp: object, expected: int) -> None:
    assert milliseconds(timestamp) == expected
