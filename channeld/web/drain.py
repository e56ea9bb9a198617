"""Stopping without breaking off what is under way.

aiohttp throws away what still comes of a request's body once it shuts down, so an upload in the middle would fail.
Here the requests under way are waited for first, while the connections stay as they are, and only then aiohttp is told.
"""

from __future__ import annotations

import asyncio

from aiohttp import web


class Drain:
    """Counts the requests of one application that are under way: each runs inside it. For the event loop's thread."""

    def __init__(self) -> None:
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        #: Whether connections are to be closed after their next answer.
        self.stopping = False

    def __enter__(self) -> None:
        self._under_way += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._idle.set()

    async def finish(self, seconds: float) -> int:
        """Wait until nothing is under way, for some seconds at most; returns how many requests are left."""
        self.stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return self._under_way
        return 0


DRAIN = web.AppKey("drain", Drain)
