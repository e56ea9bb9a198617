"""timestamp is when the build began: an integer, in milliseconds, not in the future (CEP 34, CEP 47)."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import FieldMistyped, TimestampInFuture
from channeld.formats.names import Naming
from channeld.formats.record_fields import CLOCK_SKEW_MS
from tests.support.packages import TIMESTAMP
from tests.support.record_making import ABSENT, NOW, record_with


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (TIMESTAMP, TIMESTAMP),
        (TIMESTAMP // 1000, TIMESTAMP),
        (0, 0),
        (NOW + CLOCK_SKEW_MS, NOW + CLOCK_SKEW_MS),
    ],
)
def test_seconds_become_milliseconds(written: int, milliseconds: int, policy: Naming) -> None:
    record = record_with(policy, timestamp=written)
    assert record.timestamp == milliseconds
    assert f'"timestamp":{milliseconds},'.encode() in record.fields


def test_without_one_the_record_has_none() -> None:
    record = record_with(timestamp=ABSENT)
    assert record.timestamp is None
    assert b"timestamp" not in record.fields


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [(TIMESTAMP / 1000, TIMESTAMP), (TIMESTAMP / 1000 + 0.5, TIMESTAMP + 500), (float(TIMESTAMP), TIMESTAMP)],
)
def test_fractions_pass_as_legacy_only(written: float, milliseconds: int) -> None:
    assert record_with(Naming.LEGACY, timestamp=written).timestamp == milliseconds
    with pytest.raises(FieldMistyped):
        record_with(timestamp=written)


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("written", [NOW + CLOCK_SKEW_MS + 1, NOW * 2, NOW // 1000 + 400, 10**17])
def test_the_future_is_refused(written: int, policy: Naming) -> None:
    with pytest.raises(TimestampInFuture) as caught:
        record_with(policy, timestamp=written)
    assert caught.value.now == NOW
    assert caught.value.timestamp > NOW + CLOCK_SKEW_MS


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    "written", [-1, -0.5, "2023", str(TIMESTAMP), True, [], float("nan"), float("inf"), -float("inf"), 1e300]
)
def test_other_values_are_refused(written: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, timestamp=written)
