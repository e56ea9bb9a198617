"""A running server with one channel, and a client with the administrator's token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.anaconda import Client
from tests.support.server import RunningServer, running_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with the channel ``chan``."""
    async with running_server(tmp_path) as running:
        running.channel("chan")
        yield running


@pytest.fixture
def client(server: RunningServer) -> Client:
    return Client(server)
