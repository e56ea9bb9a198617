"""What does not exist is 404 for a short time, never 403, 501 or a redirect; what cannot be done is 405."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.edge import ask, say
from tests.support.server import RunningServer

MISSING = [
    "/other/noarch/repodata.json",
    "/other/",
    "/chan/label/none/noarch/repodata.json",
    "/chan/label/none/",
    "/chan/label/none",
    "/chan/label/main/noarch/repodata.json.bz2",
    "/chan/linux-aarch64",
    "/chan/linux-aarch64/repodata.json",
    "/chan/linux-aarch64/repodata_shards.msgpack.zst",
    "/chan/noarch/alpha-1.0-0.conda",
    "/chan/noarch/repodata.json.bz2",
    "/chan/noarch/patch_instructions.json",
    "/chan/noarch/shards/" + "0" * 64 + ".msgpack.zst",
    "/chan/snapshot/1/noarch/repodata.json",
    "/chan/noarch/../../etc/passwd",
    "/chan//noarch/repodata.json",
    "/chan%2Fnoarch%2Frepodata.json",
    "/api",
    "/favicon.ico",
    "/robots.txt",
    "/t/short",
    "/t/no_token/chan/noarch/repodata.json",
]


@pytest.mark.parametrize("path", MISSING)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_it_is_404(server: RunningServer, path: str, method: str) -> None:
    answer = await ask(server.port, method, path)

    assert answer.status == 404
    assert answer.fields["Cache-Control"] == "public, max-age=10"
    assert answer.fields["Content-Type"] == "application/problem+json"
    if method == "GET":
        problem = json.loads(answer.body)
        assert (problem["status"], problem["code"]) == (404, "nothing_here")
        assert problem["request_id"] == answer.fields["X-Request-Id"]
    else:
        assert answer.body == b""


async def test_a_browser_gets_a_page(server: RunningServer) -> None:
    accepted = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    answer = await ask(server.port, "GET", "/chan/noarch/<script>alert(1)</script>", accepted)

    assert answer.status == 404
    assert answer.fields["Content-Type"] == "text/html; charset=utf-8"
    assert answer.fields["Vary"] == "Accept"
    assert answer.fields["Content-Security-Policy"].startswith("default-src 'none'")
    assert b"<script>" not in answer.body


async def test_the_name_of_the_file_decides_what_is_served_not_a_query(server: RunningServer) -> None:
    plain = await ask(server.port, "GET", "/chan/noarch/repodata.json")
    queried = await ask(server.port, "GET", "/chan/noarch/repodata.json?x=1&y=/../")

    assert (queried.status, queried.body) == (200, plain.body)


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST", "OPTIONS", "PROPFIND"])
async def test_other_methods_are_405(server: RunningServer, method: str) -> None:
    answer = await ask(server.port, method, "/chan/noarch/repodata.json")

    assert answer.status == 405
    assert set(answer.fields["Allow"].split(",")) >= {"GET", "HEAD"}
    assert answer.fields["Cache-Control"] == "no-store"


async def test_unusual_methods_share_a_metric(server: RunningServer) -> None:
    for method in ("PROPFIND", "MKCOL", "REPORT", "SUBSCRIBE"):
        await ask(server.port, method, "/chan/noarch/repodata.json")

    text = (await ask(server.port, "GET", "/metrics")).body.decode()
    assert "MKCOL" not in text
    assert 'channeld_requests_total{method="other",status="405"} 4.0' in text


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /chan/noarch/repodata\xff.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"BREW /chan/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
    ids=["no UTF-8", "long path", "long header", "no header", "no HTTP", "no version", "no method"],
)
async def test_what_is_no_request_is_refused(
    server: RunningServer, request_bytes: bytes, status: int
) -> None:
    async with asyncio.timeout(5):
        assert (await say(server.port, request_bytes)).status == status

    assert (await ask(server.port, "GET", "/health/live")).status == 200
