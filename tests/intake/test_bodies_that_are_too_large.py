"""A body over the limit is refused: by its announced length unread, without one as soon as it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.edge import connected, divided, head
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server, settings_in
from tests.support.stored import NOTHING, stored_in

LIMIT = 200_000
PATH = "/chan/noarch/alpha-1.0-0.conda"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that takes packages of 200 KB."""
    settings = settings_in(tmp_path, max_upload_bytes=LIMIT)
    async with running_server(tmp_path, settings=settings, indexing=False) as running:
        running.channel()
        yield running


async def test_one_that_announces_itself_is_refused_unread(server: RunningServer, tmp_path: Path) -> None:
    fields = {
        "Authorization": f"Bearer {server.admin}",
        "Content-Length": str(LIMIT + 1),
        "Expect": "100-continue",
    }
    async with connected(server.port) as (reader, writer):
        writer.write(head("PUT", PATH, fields))
        async with asyncio.timeout(5):
            answer = divided(await reader.read())

    assert answer.status == 413
    assert answer.body.decode().startswith(f"The body of the request is larger than {LIMIT} bytes.")
    assert stored_in(server.database, tmp_path / "data") == NOTHING


async def test_one_in_chunks_is_refused_when_it_is_over(server: RunningServer, tmp_path: Path) -> None:
    fields = {"Authorization": f"Bearer {server.admin}", "Transfer-Encoding": "chunked"}
    chunk = b"%x\r\n" % 50_000 + bytes(50_000) + b"\r\n"
    async with connected(server.port) as (reader, writer):
        writer.write(head("PUT", PATH, fields))
        for _ in range(5):
            writer.write(chunk)
            await writer.drain()
        answer = divided(await reader.readuntil(b"\r\n\r\n"))

    assert answer.status == 413
    assert stored_in(server.database, tmp_path / "data") == NOTHING


async def test_a_form_over_the_limit_is_refused(server: RunningServer, tmp_path: Path) -> None:
    disposition = 'Content-Disposition: form-data; name="file"; filename="alpha-1.0-0.conda"'
    fields = {
        "Authorization": f"Bearer {server.admin}",
        "Content-Type": "multipart/form-data; boundary=b",
        "Transfer-Encoding": "chunked",
    }
    start = f"--b\r\n{disposition}\r\n\r\n".encode()
    async with connected(server.port) as (reader, writer):
        writer.write(head("POST", "/api/v1/upload/chan", fields))
        for data in (start, *[bytes(50_000)] * 6):
            writer.write(b"%x\r\n" % len(data) + data + b"\r\n")
            await writer.drain()
        answer = divided(await reader.readuntil(b"\r\n\r\n"))

    assert answer.status == 413
    assert stored_in(server.database, tmp_path / "data") == NOTHING


async def test_one_of_just_the_limit_is_taken(tmp_path: Path) -> None:
    data = build_conda("alpha")
    async with running_server(
        tmp_path, settings=settings_in(tmp_path, max_upload_bytes=len(data)), indexing=False
    ) as server:
        server.channel()
        assert (await server.ask("PUT", PATH, data=data)).status == 201
        assert (await server.upload("alpha-1.0-0.conda", data + b"x")).problem == (413, "body_too_large")
