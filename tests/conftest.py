"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from tests.support.statements import compile_once_for_all

compile_once_for_all()


def pytest_collection_finish() -> None:
    """Keep what lives as long as the tests, modules and test items, out of collections of garbage, and have few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real packages, repodata and patches."""
    folder = os.environ.get("CHANNELD_TEST_DATA")
    if not folder:
        pytest.skip("CHANNELD_TEST_DATA is not set: real packages are not available")
    return Path(folder)
