"""A body that does not arrive whole leaves nothing: no bytes, no row, no temporary file, no thread that waits."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from channeld.web import bodies
from channeld.web.dialects import forms
from tests.support.edge import connected, divided, head
from tests.support.packages import build_conda
from tests.support.server import RunningServer
from tests.support.stored import NOTHING, Stored, unfinished_in

#: Longer than what is collected before a file is made.
LARGE = build_conda("alpha", files={"share/noise": random.Random(1).randbytes(5_000_000)})
SMALL = build_conda("alpha")
PATH = "/chan/noarch/alpha-1.0-0.conda"
BOUNDARY = "b0undary"


@dataclass(frozen=True, slots=True)
class Way:
    """A request up to its body, and how bytes are dressed for it."""

    method: str
    path: str
    fields: dict[str, str]
    prefix: bytes = b""
    suffix: bytes = b""


PLAIN = Way("PUT", PATH, {})
FORM = Way(
    "POST",
    "/api/v1/upload/chan",
    {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="alpha-1.0-0.conda"\r\n\r\n'.encode(),
    f"\r\n--{BOUNDARY}--\r\n".encode(),
)
WAYS = pytest.mark.parametrize("way", [PLAIN, FORM], ids=["raw", "form"])


def request(server: RunningServer, way: Way, body: bytes, **fields: str) -> bytes:
    """The header section of an upload."""
    given = {
        "Authorization": f"Bearer {server.admin}",
        **way.fields,
        "Content-Length": str(len(body)),
        **fields,
    }
    return head(way.method, way.path, given)


async def nothing_left(stored: Callable[[], Stored]) -> None:
    """Wait until nothing is left of an upload."""
    for _ in range(300):
        if stored() == NOTHING:
            return
        await asyncio.sleep(0.01)
    assert stored() == NOTHING


async def something_arrives(server: RunningServer) -> None:
    """Wait until an upload has its temporary file."""
    for _ in range(300):
        if unfinished_in(server.settings.storage.data_dir):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no upload arrived")


@WAYS
@pytest.mark.parametrize("rude", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_client_that_disconnects(
    server: RunningServer, stored: Callable[[], Stored], way: Way, data: bytes, *, rude: bool
) -> None:
    body = way.prefix + data + way.suffix
    async with connected(server.port) as (_, writer):
        writer.write(request(server, way, body) + body[: len(body) // 2])
        await writer.drain()
        if data is LARGE:
            await something_arrives(server)
        if rude:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )

    await nothing_left(stored)
    assert (await server.ask("PUT", PATH, data=SMALL)).status == 201


@WAYS
async def test_a_body_that_is_shorter_than_announced(
    server: RunningServer, stored: Callable[[], Stored], way: Way
) -> None:
    body = way.prefix + LARGE + way.suffix
    async with connected(server.port) as (reader, writer):
        writer.write(request(server, way, body + b"0123456789", Connection="close") + body)
        writer.write_eof()  # aiohttp takes that for good-bye
        assert await reader.read() == b""

    await nothing_left(stored)


async def test_a_chunked_body_without_its_end(server: RunningServer, stored: Callable[[], Stored]) -> None:
    section = head(
        "PUT",
        PATH,
        {"Authorization": f"Bearer {server.admin}", "Transfer-Encoding": "chunked", "Connection": "close"},
    )
    async with connected(server.port) as (reader, writer):
        writer.write(section + b"%x\r\n" % len(SMALL) + SMALL + b"\r\n")
        writer.write_eof()
        assert await reader.read() == b""

    await nothing_left(stored)


@WAYS
async def test_a_client_that_falls_silent_is_given_up(
    server: RunningServer, stored: Callable[[], Stored], way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies.read_body, "__defaults__", (0.2,))
    monkeypatch.setattr(forms.FormReader.__init__, "__defaults__", (0.2,))
    monkeypatch.setattr(bodies.refuse, "__defaults__", (1024, 0.2))
    body = way.prefix + LARGE + way.suffix
    async with connected(server.port) as (reader, writer):
        writer.write(request(server, way, body) + body[: len(body) // 2])
        async with asyncio.timeout(5):
            answer = divided(await reader.read())

    assert answer.status == 408
    assert "nothing came for 0.2 seconds" in answer.body.decode()
    await nothing_left(stored)


@WAYS
async def test_a_slow_client_is_waited_for(server: RunningServer, way: Way) -> None:
    body = way.prefix + SMALL + way.suffix
    async with connected(server.port) as (reader, writer):
        writer.write(request(server, way, body, Connection="close"))
        step = max(1, len(body) // 20)
        for start in range(0, len(body), step):
            writer.write(body[start : start + step])
            await writer.drain()
            await asyncio.sleep(0.01)
        answer = divided(await reader.read())

    assert answer.status == 201
    assert await server.shown() == ["alpha-1.0-0.conda"]


async def test_the_server_stops_while_an_upload_is_under_way(
    server: RunningServer, stored: Callable[[], Stored]
) -> None:
    uploading = asyncio.create_task(_trickle(server))
    await something_arrives(server)
    handlers = [task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())]
    assert handlers
    for task in handlers:
        task.cancel()

    await nothing_left(stored)
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)


async def _trickle(server: RunningServer) -> None:
    async with connected(server.port) as (_, writer):
        writer.write(request(server, PLAIN, LARGE) + LARGE[:-10])
        await asyncio.sleep(60)
