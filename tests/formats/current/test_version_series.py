"""What conda's ``name=<version>`` takes. Every line was checked against conda 26.7."""

from __future__ import annotations

import pytest
from rattler import Version

from channeld.formats.matching import in_series


@pytest.mark.parametrize(
    ("version", "head"),
    [
        ("1.2", "1.2"),
        ("1.2.0", "1.2"),
        ("1.2", "1.2.0"),
        ("1", "1.0.0"),
        ("1.2.3", "1.2"),
        ("1.2rc1", "1.2"),
        ("1.2.rc1", "1.2"),
        ("1.2.post1", "1.2"),
        ("1.2.dev0", "1.2"),
        ("1.post1", "1.0"),
        ("1.2+cuda", "1.2"),
        ("1!1.2.3", "1!1.2"),
        ("1.1.1w", "1.1.1"),
        ("1.0.1_", "1.0.1"),
        ("1.2+cuda.1", "1.2+cuda"),
        ("2021a", "2021"),
    ],
)
def test_a_version_is_in_the_series_of(version: str, head: str) -> None:
    assert in_series(Version(version), Version(head))


@pytest.mark.parametrize(
    ("version", "head"),
    [
        ("1.20", "1.2"),
        ("1.1", "1.2"),
        ("1.2", "1.2.1"),
        ("1!1.2", "1.2"),
        ("1.0rc1", "1.0.0"),
        ("1rc1", "1.0"),
        ("1.2", "1.2+cuda"),
        ("1.2.0.1+cuda", "1.2+cuda"),
        ("1.0.1", "1.0.1_"),
        ("1.1.10", "1.1.1"),
    ],
)
def test_a_version_is_not_in_the_series_of(version: str, head: str) -> None:
    assert not in_series(Version(version), Version(head))
