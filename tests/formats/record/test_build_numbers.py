"""build_number is an integer in every record: anything else makes rattler lose the package name."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import FieldMistyped
from channeld.formats.names import Naming
from tests.support.record_making import record_with


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("number", [0, 1, 1000, 2**63 - 1])
def test_integers_pass(number: int, policy: Naming) -> None:
    record = record_with(policy, build_number=number)
    assert record.build_number == number
    assert f'"build_number":{number},'.encode() in record.fields


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("12", 12), (0.0, 0), (3.0, 3)])
def test_what_is_meant_as_one_passes_as_legacy_only(value: Any, number: int) -> None:
    assert record_with(Naming.LEGACY, build_number=value).build_number == number
    with pytest.raises(FieldMistyped) as caught:
        record_with(build_number=value)
    assert caught.value.field == "build_number"


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    "value",
    [
        -1,
        2**63,
        2**64,
        10**30,
        1.5,
        float("nan"),
        float("inf"),
        True,
        False,
        "",
        "x",
        "-1",
        "1.0",
        "٣",
        "9" * 100,
        [0],
        {},
    ],
)
def test_other_values_are_refused(value: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped):
        record_with(policy, build_number=value)
