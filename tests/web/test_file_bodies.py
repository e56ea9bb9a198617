"""Files as bodies: opened first, closed always, sent by the kernel or by hand."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import web

from channeld.errors import Unavailable
from channeld.web.representation import FileBody, Representation, Take
from channeld.web.responder import respond
from channeld.web.sending import StoredBytesMissing
from tests.support.edge import Answer, Handler, ask, connected, divided, head, serving

DATA = os.urandom(3_000_000)


class Shelf:
    """A file that counts how often it is open."""

    def __init__(self, path: Path, data: bytes = DATA) -> None:
        self.path = path
        self.opened: list[BinaryIO] = []
        path.write_bytes(data)

    async def open(self, take: Take) -> bytes | BinaryIO:
        """Open it once more."""
        file = self.path.open("rb")
        self.opened.append(file)
        return take(file)

    @property
    def states(self) -> list[bool]:
        """Whether each of the opened files is closed."""
        return [file.closed for file in self.opened]


def document(shelf: Shelf, size: int = len(DATA), offset: int = 0) -> Representation:
    """A representation of the file."""
    return Representation(
        etag='"v1"',
        last_modified=784111777,
        content_type="application/octet-stream",
        size=size,
        body=FileBody(shelf.open, offset),
        cache_control="public, max-age=60",
    )


def handler_of(representation: Representation) -> Handler:
    """Answer with it; what is unavailable is 503."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await respond(request, representation)
        except Unavailable as unavailable:
            return web.Response(status=503, text=str(unavailable))
        except FileNotFoundError:
            return web.Response(status=404)

    return handler


async def test_a_file_is_opened_once_and_closed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf))) as port:
        answer = await ask(port, "GET")

    assert answer.body == DATA
    assert shelf.states == [True]


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("HEAD", {}),
        ("GET", {"If-None-Match": '"v1"'}),
        ("GET", {"If-Match": "x"}),
        ("GET", {"Range": "bytes=3000000-"}),
    ],
)
async def test_a_file_of_which_nothing_is_sent_is_not_opened(
    tmp_path: Path, method: str, fields: dict[str, str]
) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf))) as port:
        await ask(port, method, fields=fields)

    assert shelf.states == []


async def test_a_connection_serves_one_file_after_the_other(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf))) as port, connected(port) as (reader, writer):
        bodies = []
        for _ in range(3):
            writer.write(head("GET", "/"))
            await reader.readuntil(b"\r\n\r\n")
            bodies.append(await reader.readexactly(len(DATA)))

    assert bodies == [DATA] * 3
    assert shelf.states == [True] * 3


async def test_a_file_may_be_deleted_while_it_is_sent(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf))) as port, connected(port) as (reader, writer):
        writer.write(head("GET", "/", {"Connection": "close"}))
        first = await reader.readuntil(b"\r\n\r\n")
        shelf.path.unlink()
        answer = divided(first + await reader.read())

    assert answer.status == 200
    assert answer.body == DATA


async def test_a_missing_file_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "file")
    shelf.path.unlink()

    async with serving(handler_of(document(shelf))) as port:
        answer = await ask(port, "GET")

    assert answer == Answer(404, {"Content-Length": "0"}, b"")


@pytest.mark.parametrize(
    ("size", "offset", "found"), [(3_000_001, 0, 3_000_000), (100, 2_999_901, 99), (5, 9_000_000, 0)]
)
async def test_a_file_that_is_too_short_is_told_before_anything_is_sent(
    tmp_path: Path, size: int, offset: int, found: int
) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf, size, offset))) as port:
        answer = await ask(port, "GET")

    assert (answer.status, answer.body.decode()) == (
        503,
        f"Of {size} stored bytes only {found} are there. Try again later; the operator has to restore the file.",
    )
    assert str(StoredBytesMissing(size, found)) == answer.body.decode()
    assert shelf.states == [True]


async def test_a_small_part_is_read_where_the_file_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, pread = Shelf(tmp_path / "file"), os.pread
    readers: list[str] = []

    def watched(descriptor: int, size: int, offset: int) -> bytes:
        readers.append(threading.current_thread().name)
        return pread(descriptor, size, offset)

    async def on_thread(take: Take) -> bytes | BinaryIO:
        return await asyncio.get_running_loop().run_in_executor(thread, asyncio.run, shelf.open(take))

    monkeypatch.setattr(os, "pread", watched)
    body = replace(document(shelf), body=FileBody(on_thread, 7))
    with ThreadPoolExecutor(thread_name_prefix="disk") as thread:
        async with serving(handler_of(body)) as port:
            answer = await ask(port, "GET", fields={"Range": "bytes=100-1099"})

    assert (answer.status, answer.body) == (206, DATA[107:1107])
    assert readers == ["disk_0"]
    assert shelf.states == [True]


async def test_a_small_part_that_goes_while_it_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, pread = Shelf(tmp_path / "file"), os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, size, offset: pread(descriptor, size // 2, offset))

    async with serving(handler_of(document(shelf))) as port:
        answer = await ask(port, "GET", fields={"Range": "bytes=0-999"})

    assert (answer.status, answer.body.decode()) == (503, str(StoredBytesMissing(1000, 500)))
    assert shelf.states == [True]


@pytest.fixture(params=[NotImplementedError, asyncio.SendfileNotAvailableError])
def without_sendfile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event loop, or a transport, that cannot send files."""

    async def sendfile(*_: Any, **__: Any) -> int:
        raise request.param("not here")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sendfile", sendfile)


@pytest.mark.usefixtures("without_sendfile")
async def test_without_sendfile_the_same_is_sent(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "file")

    async with serving(handler_of(document(shelf, len(DATA) - 10, offset=10))) as port:
        whole = await ask(port, "GET")
        part = await ask(port, "GET", fields={"Range": "bytes=100000-1999999"})

    assert whole.body == DATA[10:]
    assert part.body == DATA[100_010:2_000_010]
    assert shelf.states == [True, True]


async def test_one_open_file_can_serve_several_requests_at_once(
    tmp_path: Path, without_sendfile: None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    descriptor = os.open(path, os.O_RDONLY)

    async def open_shared(take: Take) -> bytes | BinaryIO:
        return take(os.fdopen(os.dup(descriptor), "rb", buffering=0))

    shelf = Shelf(tmp_path / "other")
    shelf.open = open_shared  # type: ignore[method-assign]
    try:
        async with serving(handler_of(document(shelf))) as port:
            starts = range(0, 2_000_000, 400_000)
            answers = await asyncio.gather(
                *(ask(port, "GET", fields={"Range": f"bytes={at}-"}) for at in starts)
            )
    finally:
        os.close(descriptor)

    assert [answer.body for answer in answers] == [DATA[at:] for at in starts]


@pytest.mark.usefixtures("without_sendfile")
async def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path / "file")
    pread = os.pread

    def shrinking(descriptor: int, size: int, offset: int) -> bytes:
        os.truncate(shelf.path, 1_000_000)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", shrinking)
    async with serving(handler_of(document(shelf))) as port, connected(port) as (reader, writer):
        writer.write(head("GET", "/"))
        answer = divided(await reader.read())

    assert answer.status == 200
    assert answer.fields["Content-Length"] == str(len(DATA))
    assert answer.body == DATA[:1_000_000]
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "A body had another length than was promised"
    assert {name: vars(record)[name] for name in ("path", "written", "promised")} == {
        "path": "/",
        "written": 1_000_000,
        "promised": len(DATA),
    }
    assert shelf.states == [True]
