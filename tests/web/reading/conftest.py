"""A server with the channel ``chan``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.server import RunningServer, running_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that indexes, with the channel ``chan``."""
    async with running_server(tmp_path) as running:
        running.channel()
        yield running
