"""The file name and index.json say the same name, version and build."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import FieldMissing, FieldMistyped, FileNameMismatch
from channeld.formats.names import Naming
from tests.support.record_making import ABSENT, record_with


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize(
    ("field", "index", "filename"),
    [
        ("name", "beta", "alpha"),
        ("name", "Alpha", "alpha"),
        ("version", "1.0.0", "1.0"),
        ("version", "1", "1.0"),
        ("build", "1", "0"),
    ],
)
def test_a_difference_is_refused(field: str, index: str, filename: str, policy: Naming) -> None:
    with pytest.raises(FileNameMismatch) as caught:
        record_with(policy, **{field: index})
    assert caught.value.detail() == {"field": field, "filename": filename, "index": index}


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", ["name", "version", "build", "build_number"])
@pytest.mark.parametrize("value", [ABSENT, None])
def test_each_is_required(field: str, value: Any, policy: Naming) -> None:
    with pytest.raises(FieldMissing) as caught:
        record_with(policy, **{field: value})
    assert caught.value.detail() == {"field": field}


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("field", ["name", "version", "build"])
@pytest.mark.parametrize("value", [1, 1.0, True, ["x"], {}])
def test_each_is_a_string(field: str, value: Any, policy: Naming) -> None:
    with pytest.raises(FieldMistyped) as caught:
        record_with(policy, **{field: value})
    assert caught.value.expected == "a string"
