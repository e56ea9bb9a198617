"""Whole answers to GET and HEAD of a representation: status, header fields, body."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from aiohttp import web

from channeld.web.representation import Body, BytesBody, FileBody, Representation, StreamBody, Take
from channeld.web.responder import respond
from tests.support.edge import Answer, ask, serving

SMALL = b"0123456789"
#: More than any write at once: sendfile, and several chunks.
LARGE = bytes(range(256)) * 4096

SENT = {
    "Etag": '"v1"',
    "Cache-Control": "public, max-age=60",
    "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Accept-Ranges": "bytes",
    "Content-Type": "application/json",
}
REPEATED = {name: SENT[name] for name in ("Etag", "Cache-Control", "Last-Modified")}


def representation(body: Body, size: int) -> Representation:
    """One version of a document."""
    return Representation(
        etag='"v1"',
        last_modified=784111777,
        content_type="application/json",
        size=size,
        body=body,
        cache_control="public, max-age=60",
    )


def make_bytes(data: bytes, _folder: Path) -> Body:
    return BytesBody(data)


def make_file(data: bytes, folder: Path) -> Body:
    path = folder / "file"
    path.write_bytes(b"before" + data + b"after")

    async def open_file(take: Take) -> bytes | BinaryIO:
        return take(path.open("rb"))

    return FileBody(open_file, offset=len(b"before"))


def make_stream(data: bytes, _folder: Path) -> Body:
    async def read(start: int, stop: int) -> AsyncIterator[bytes]:
        for at in range(start, stop, 100_000):
            yield data[at : min(at + 100_000, stop)]

    return StreamBody(read)


@pytest.fixture(params=[make_bytes, make_file, make_stream], ids=["bytes", "file", "stream"])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Representation]:
    """The same three documents with each sort of body."""
    found: dict[str, Representation] = {}
    for name, data in {"/small": SMALL, "/large": LARGE, "/empty": b""}.items():
        folder = tmp_path / name[1:]
        folder.mkdir()
        found[name] = representation(request.param(data, folder), len(data))
    return found


async def answer_from(documents: dict[str, Representation], request: web.Request) -> web.StreamResponse:
    """The handler of these tests."""
    return await respond(request, documents[request.path])


@pytest.fixture
async def port(documents: dict[str, Representation]) -> AsyncIterator[int]:
    """A server of the documents."""
    async with serving(partial(answer_from, documents)) as port:
        yield port


@pytest.mark.parametrize(("path", "data"), [("/small", SMALL), ("/large", LARGE), ("/empty", b"")])
async def test_get_sends_everything(port: int, path: str, data: bytes) -> None:
    assert await ask(port, "GET", path) == Answer(200, {**SENT, "Content-Length": str(len(data))}, data)


@pytest.mark.parametrize(("path", "data"), [("/small", SMALL), ("/large", LARGE), ("/empty", b"")])
async def test_head_sends_the_same_fields_and_no_body(port: int, path: str, data: bytes) -> None:
    assert await ask(port, "HEAD", path) == Answer(200, {**SENT, "Content-Length": str(len(data))}, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "fields",
    [{"If-None-Match": '"v1"'}, {"If-None-Match": 'W/"v1"'}, {"If-Modified-Since": SENT["Last-Modified"]}],
)
async def test_a_client_that_has_it_gets_304_with_what_caches_need(
    port: int, method: str, fields: dict[str, str]
) -> None:
    assert await ask(port, method, "/large", fields) == Answer(304, REPEATED, b"")


async def test_a_range_is_ignored_where_the_client_has_everything(port: int) -> None:
    fields = {"If-None-Match": '"v1"', "Range": "bytes=0-3"}

    assert await ask(port, "GET", "/large", fields) == Answer(304, REPEATED, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_failed_precondition_is_412_and_is_not_stored(port: int, method: str) -> None:
    answer = await ask(port, method, "/small", {"If-Match": '"v2"'})

    length = {"Content-Length": "0"} if method == "GET" else {}
    assert answer == Answer(412, {"Cache-Control": "no-store", **length}, b"")


@pytest.mark.parametrize(
    ("path", "data", "field", "start", "stop"),
    [
        ("/small", SMALL, "bytes=3-5", 3, 6),
        ("/small", SMALL, "bytes=-1", 9, 10),
        ("/large", LARGE, "bytes=1000-", 1000, len(LARGE)),
        ("/large", LARGE, "bytes=0-", 0, len(LARGE)),
        ("/large", LARGE, "bytes=70001-170002", 70001, 170003),
        ("/large", LARGE, "bytes=-300000", len(LARGE) - 300_000, len(LARGE)),
    ],
)
async def test_a_range_is_answered_with_206(
    port: int, path: str, data: bytes, field: str, start: int, stop: int
) -> None:
    expected = {
        **SENT,
        "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}",
        "Content-Length": str(stop - start),
    }

    assert await ask(port, "GET", path, {"Range": field}) == Answer(206, expected, data[start:stop])
    held = {"Range": field, "If-Range": '"v1"'}
    assert await ask(port, "GET", path, held) == Answer(206, expected, data[start:stop])


@pytest.mark.parametrize("if_range", ['"v0"', 'W/"v1"', "Sun, 06 Nov 1994 08:49:38 GMT"])
async def test_a_range_of_another_version_is_answered_with_the_whole(port: int, if_range: str) -> None:
    answer = await ask(port, "GET", "/small", {"Range": "bytes=3-5", "If-Range": if_range})

    assert answer == Answer(200, {**SENT, "Content-Length": "10"}, SMALL)


async def test_several_ranges_are_answered_with_the_whole(port: int) -> None:
    answer = await ask(port, "GET", "/small", {"Range": "bytes=0-1,4-5"})

    assert answer == Answer(200, {**SENT, "Content-Length": "10"}, SMALL)


async def test_head_has_no_ranges(port: int) -> None:
    answer = await ask(port, "HEAD", "/small", {"Range": "bytes=3-5"})

    assert answer == Answer(200, {**SENT, "Content-Length": "10"}, b"")


async def test_a_range_behind_the_end_is_416_with_the_size_and_is_not_stored(port: int) -> None:
    answer = await ask(port, "GET", "/small", {"Range": "bytes=10-"})

    assert answer == Answer(
        416, {"Content-Range": "bytes */10", "Cache-Control": "no-store", "Content-Length": "0"}, b""
    )


async def test_a_negotiated_coding_is_named_and_varies() -> None:
    coded = replace(
        representation(BytesBody(SMALL), 10),
        content_encoding="zstd",
        vary="Accept-Encoding",
        etag='"v1-zstd"',
    )

    async with serving(partial(answer_from, {"/": coded})) as port:
        whole = await ask(port, "GET")
        known = await ask(port, "GET", fields={"If-None-Match": '"v1-zstd"'})

    tagged = {"Etag": '"v1-zstd"', "Vary": "Accept-Encoding"}
    assert whole == Answer(200, {**SENT, **tagged, "Content-Encoding": "zstd", "Content-Length": "10"}, SMALL)
    assert known == Answer(304, {**REPEATED, **tagged}, b"")


async def test_a_date_is_not_sent_before_its_second_is_over() -> None:
    young = replace(representation(BytesBody(SMALL), 10), last_modified=int(time.time()) + 3600)

    async with serving(partial(answer_from, {"/": young})) as port:
        whole = await ask(port, "GET")
        known = await ask(port, "GET", fields={"If-None-Match": '"v1"'})

    undated = {name: value for name, value in SENT.items() if name != "Last-Modified"}
    assert whole == Answer(200, {**undated, "Content-Length": "10"}, SMALL)
    assert known == Answer(304, {"Etag": '"v1"', "Cache-Control": "public, max-age=60"}, b"")
