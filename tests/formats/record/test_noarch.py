"""noarch is generic or python: other texts make rattler lose the package name."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.metadata_rejections import NoarchUnknown
from channeld.formats.names import Naming
from tests.support.record_making import fields_with, record_with


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("noarch", ["generic", "python"])
def test_the_two_types_pass(noarch: str, policy: Naming) -> None:
    assert fields_with(policy, noarch=noarch)["noarch"] == noarch


@pytest.mark.parametrize(
    ("written", "read"),
    [(True, "generic"), (False, None), ("", None), ("Python", "python"), ("GENERIC", "generic")],
)
def test_what_conda_understands_passes_as_legacy_only(written: Any, read: str | None) -> None:
    assert fields_with(Naming.LEGACY, noarch=written).get("noarch") == read
    with pytest.raises(NoarchUnknown):
        record_with(noarch=written)


@pytest.mark.parametrize("policy", Naming)
@pytest.mark.parametrize("written", ["ruby", "true", 1, 0, [], {}, ["python"]])
def test_other_values_are_refused(written: Any, policy: Naming) -> None:
    with pytest.raises(NoarchUnknown) as caught:
        record_with(policy, noarch=written)
    assert caught.value.code == "noarch_unknown"
