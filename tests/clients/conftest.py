"""A server with packages in it, and a record of what clients ask it for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from channeld.web.app import make_app
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, running_server


@dataclass
class Watched:
    """A server, and what it was asked since ``forget``: method, path and status."""

    server: RunningServer
    url: str
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def forget(self) -> None:
        self.asked.clear()

    def statuses(self, ending: str) -> list[int]:
        """Return the statuses of the requests whose path ends so."""
        return [status for _, path, status in self.asked if path.endswith(ending)]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Two packages of both formats in ``chan``, a newer one under ``dev`` only, published."""
    async with running_server(tmp_path) as server:
        server.channel()
        await server.upload("alpha-1.0-0.conda", build_conda("alpha", "1.0"))
        await server.upload("beta-1.0-0.tar.bz2", build_tar_bz2("beta", "1.0", depends=["alpha >=1.0"]))
        await server.upload("alpha-2.0-0.conda", build_conda("alpha", "2.0"), "dev")
        await server.settled()
        async with recording(server) as watched:
            yield watched


def recording(server: RunningServer) -> _Recording:
    """Serve the same parts once more, on another port, and note every request."""
    return _Recording(server)


class _Recording:
    def __init__(self, server: RunningServer) -> None:
        self._watched = Watched(server, "")
        app = make_app(server.services)
        app.on_response_prepare.append(self._note)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)

    async def _note(self, request: web.Request, response: web.StreamResponse) -> None:
        self._watched.asked.append((request.method, request.rel_url.raw_path, response.status))

    async def __aenter__(self) -> Watched:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._watched.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self._watched

    async def __aexit__(self, *_exception: object) -> None:
        await self._runner.cleanup()
