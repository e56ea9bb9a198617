"""A record is JSON that every parser reads, and not longer than every client should download."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import RecordNotJson, RecordTooLarge
from channeld.formats.names import Naming
from channeld.formats.record import RECORD_LIMIT
from tests.support.record_making import record_with


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, 10**40, "\ud800", {1: 2}, {"a": object()}, nested(500)],
    ids=[
        "above 64 bits",
        "below 64 bits",
        "far above",
        "half a surrogate",
        "number key",
        "object",
        "too deep",
    ],
)
def test_what_json_in_64_bits_cannot_carry_is_refused(value: Any, policy: Naming) -> None:
    with pytest.raises(RecordNotJson):
        record_with(policy, anything=value)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1e300, "é\0\u2028", nested(200)], ids=repr)
def test_what_it_can_carry_passes(value: Any) -> None:
    record_with(anything=value)


def test_a_record_that_is_too_long_is_refused() -> None:
    room = RECORD_LIMIT - len(record_with(anything="").fields)
    assert len(record_with(anything="x" * room).fields) == RECORD_LIMIT
    with pytest.raises(RecordTooLarge) as caught:
        record_with(anything="x" * (room + 1))
    assert caught.value.detail() == {"size": RECORD_LIMIT + 1, "limit": RECORD_LIMIT}
