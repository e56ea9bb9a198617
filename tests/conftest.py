"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest


def pytest_collection_finish() -> None:
    """Keep what lives as long as the tests, modules and test items, out of every collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real packages, repodata and patches."""
    folder = os.environ.get("CHANNELD_TEST_DATA")
    if not folder:
        pytest.skip("CHANNELD_TEST_DATA is not set: real packages are not available")
    return Path(folder)


from sqlalchemy import Connection, Engine, event
from typing import Any
_dialects: dict[str, Any] = {}
_caches: dict[str, Any] = {}

@event.listens_for(Engine, "engine_connect")
def keep_statements(connection: Connection) -> None:
    engine = connection.engine
    if engine.dialect.name == "sqlite":
        dialect = _dialects.setdefault("sqlite", engine.dialect)
        if engine.dialect is not dialect:
            engine.dialect = dialect
            engine._compiled_cache = _caches["sqlite"]
        else:
            _caches.setdefault("sqlite", engine._compiled_cache)
    connection.dialect = engine.dialect
