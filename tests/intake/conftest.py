"""A server with a channel, and what it has stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.server import RunningServer, running_server
from tests.support.stored import Stored, stored_in


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that indexes, with the channel ``chan``."""
    async with running_server(tmp_path) as running:
        running.channel()
        yield running


@pytest.fixture
def stored(server: RunningServer, tmp_path: Path) -> Callable[[], Stored]:
    """Look at what the server has stored."""
    return lambda: stored_in(server.database, tmp_path / "data")
