"""Waiting for what happens on other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; for 20 seconds at most."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no thread of the server sets an event for a test
            await asyncio.sleep(0.01)
