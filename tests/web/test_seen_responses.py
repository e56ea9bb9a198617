"""What middlewares and the access log see of an answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from channeld.web.representation import Body, BytesBody, FileBody, Representation, StreamBody, Take
from channeld.web.responder import respond
from tests.support.edge import ask, serving

SIZE = 300_000

#: What a request asks for, the status of its answer, and how many bytes of body that has.
CASES = [
    ({}, 200, SIZE),
    ({"Range": "bytes=0-99999"}, 206, 100_000),
    ({"Range": "bytes=0-9"}, 206, 10),
    ({"Range": "bytes=300000-"}, 416, 0),
    ({"If-None-Match": '"v1"'}, 304, 0),
    ({"If-Match": '"v2"'}, 412, 0),
]


def bodies(folder: Path) -> dict[str, Body]:
    """The three sorts of body."""
    path = folder / "file"
    path.write_bytes(bytes(SIZE))

    async def open_file(take: Take) -> bytes | BinaryIO:
        return take(path.open("rb"))

    async def read(start: int, stop: int) -> AsyncIterator[bytes]:
        yield bytes(stop - start)

    return {"/bytes": BytesBody(bytes(SIZE)), "/file": FileBody(open_file), "/stream": StreamBody(read)}


@pytest.mark.parametrize("path", ["/bytes", "/file", "/stream"])
@pytest.mark.parametrize(("fields", "status", "length"), CASES, ids=[str(case[1:]) for case in CASES])
async def test_status_and_length_are_true_for_middlewares_and_the_access_log(
    tmp_path: Path, path: str, fields: dict[str, str], status: int, length: int
) -> None:
    seen: list[int] = []
    logged: list[tuple[int, int]] = []
    found = bodies(tmp_path)

    class Logger(AbstractAccessLogger):
        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            logged.append((response.status, response.body_length))

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        seen.append(response.status)
        return response

    async def handler(request: web.Request) -> web.StreamResponse:
        return await respond(
            request,
            Representation(
                etag='"v1"',
                last_modified=784111777,
                content_type="application/json",
                size=SIZE,
                body=found[request.path],
                cache_control="public, max-age=60",
            ),
        )

    access_log = logging.getLogger("test.access")
    async with serving(
        handler, middlewares=[middleware], access_log_class=Logger, access_log=access_log
    ) as port:
        answer = await ask(port, "GET", path, fields)

    assert (answer.status, len(answer.body)) == (status, length)
    assert seen == [status]
    [(logged_status, logged_length)] = logged
    assert logged_status == status
    # aiohttp counts the header section too.
    assert length <= logged_length <= length + 600
