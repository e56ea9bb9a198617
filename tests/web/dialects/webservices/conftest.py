"""A server that promotes from cf-staging to conda-forge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.webservices import Promoting, promoting


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Promoting]:
    """Both channels, and the feedstock alpha with its token and the outputs alpha and beta."""
    async with promoting(tmp_path) as made:
        yield made
