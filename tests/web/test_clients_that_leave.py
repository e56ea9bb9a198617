"""A client that leaves is no error: nothing is logged, everything is closed."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import web

from channeld.web.representation import Body, BytesBody, FileBody, Representation, StreamBody, Take
from channeld.web.responder import respond
from tests.support.edge import Handler, ask, head, serving

SIZE = 64 * 1024 * 1024


class Watched:
    """A body of 64 MiB of each sort, and whether it is done with."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file"
        with self.path.open("wb") as file:
            file.truncate(SIZE)
        self.file: BinaryIO | None = None
        self.stream_closed = False
        self.returned = asyncio.Event()

    async def _open(self, take: Take) -> bytes | BinaryIO:
        self.file = self.path.open("rb")
        return take(self.file)

    async def _read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        try:
            for _ in range(start, stop, 65536):
                yield bytes(65536)
        finally:
            self.stream_closed = True

    def body(self, sort: str) -> Body:
        """The body of one sort."""
        makers: dict[str, Callable[[], Body]] = {
            "bytes": lambda: BytesBody(bytes(SIZE)),
            "file": lambda: FileBody(self._open),
            "stream": lambda: StreamBody(self._read),
        }
        return makers[sort]()

    def handler(self, sort: str) -> Handler:
        """Answer with it."""
        representation = Representation(
            etag='"v1"',
            last_modified=784111777,
            content_type="application/json",
            size=SIZE,
            body=self.body(sort),
            cache_control="public, max-age=60",
        )

        async def handler(request: web.Request) -> web.StreamResponse:
            if request.path == "/alive":
                return web.Response()
            try:
                return await respond(request, representation)
            finally:
                self.returned.set()

        return handler


def reset(client: socket.socket) -> None:
    """Close with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(params=[True, False], ids=["sendfile", "no sendfile"])
def sendfile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel's help and without."""

    async def unavailable(*_: Any, **__: Any) -> int:
        raise NotImplementedError

    if not request.param:
        monkeypatch.setattr(asyncio.SelectorEventLoop, "sendfile", unavailable)


@pytest.mark.usefixtures("sendfile")
@pytest.mark.parametrize("sort", ["bytes", "file", "stream"])
@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "close"])
@pytest.mark.parametrize("seconds", [0.0, 0.2], ids=["at once", "halfway"])
async def test_a_client_that_leaves_is_no_error(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    sort: str,
    leave: Callable[[socket.socket], None],
    seconds: float,
) -> None:
    watched = Watched(tmp_path)
    loop = asyncio.get_running_loop()

    async with serving(watched.handler(sort)) as port:
        client = socket.create_connection(("127.0.0.1", port))
        client.setblocking(False)
        await loop.sock_sendall(client, head("GET", "/"))
        if seconds:
            await loop.sock_recv(client, 1000)
            await asyncio.sleep(seconds)
        leave(client)
        async with asyncio.timeout(10):
            await watched.returned.wait()
        alive = await ask(port, "GET", "/alive")

    assert alive.status == 200
    assert watched.file is None or watched.file.closed
    assert sort != "stream" or watched.stream_closed
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO] == []
