"""A range of an artifact, of a .zst and of a plain document are those very bytes; zstd is a coding of its own."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server

LARGE = build_conda("noise", files={"share/noise": random.Random(1).randbytes(700_000)})


@dataclass(frozen=True)
class Filled:
    server: RunningServer
    whole: dict[str, bytes]


@pytest.fixture
async def filled(tmp_path: Path) -> AsyncIterator[Filled]:
    """A channel whose repodata.json is larger than what is kept in memory, and an artifact larger than one write."""
    async with running_server(tmp_path) as server:
        server.channel()
        assert (await server.ask("PUT", "/chan/noarch/noise-1.0-0.conda", data=LARGE)).status == 201
        padding = "x" * 40_000
        for number in range(20):
            data = build_conda("alpha", f"{number}.0", index={"padding": f"{number}{padding}"})
            assert (
                await server.ask("PUT", f"/chan/noarch/alpha-{number}.0-0.conda", data=data)
            ).status == 201
        await server.settled()
        paths = [
            f"/chan/noarch/{name}" for name in ("noise-1.0-0.conda", "repodata.json", "repodata.json.zst")
        ]
        whole = {path: (await ask(server.port, "GET", path)).body for path in paths}
        yield Filled(server, whole)


async def test_the_documents_are_as_large_as_they_should_be(filled: Filled) -> None:
    artifact, plain, frame = filled.whole.values()
    assert artifact == LARGE
    assert len(plain) > 512 * 1024
    assert zstandard.ZstdDecompressor().decompress(frame) == plain


async def test_a_range_is_206_with_those_bytes(filled: Filled) -> None:
    for path, whole in filled.whole.items():
        size = len(whole)
        for given, start, stop in (
            ("bytes=0-0", 0, 1),
            ("bytes=5-104", 5, 105),
            (f"bytes={size // 2}-", size // 2, size),
            ("bytes=-100", size - 100, size),
            (f"bytes=10-{size + 1000}", 10, size),
            (f"bytes=-{size + 1000}", 0, size),
        ):
            answer = await ask(filled.server.port, "GET", path, {"Range": given})
            assert answer.status == 206
            assert answer.fields["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
            assert answer.body == whole[start:stop]


async def test_what_begins_behind_the_end_is_416(filled: Filled) -> None:
    for path, whole in filled.whole.items():
        for given in (f"bytes={len(whole)}-", "bytes=99999999999999-", "bytes=-0"):
            answer = await ask(filled.server.port, "GET", path, {"Range": given})
            assert (answer.status, answer.body) == (416, b"")
            assert answer.fields["Content-Range"] == f"bytes */{len(whole)}"
            assert answer.fields["Cache-Control"] == "no-store"


async def test_an_interrupted_download_goes_on_with_the_same_version_only(filled: Filled) -> None:
    path = "/chan/noarch/noise-1.0-0.conda"
    first = await ask(filled.server.port, "GET", path)
    same = await ask(
        filled.server.port, "GET", path, {"Range": "bytes=1000-", "If-Range": first.fields["Etag"]}
    )
    other = await ask(filled.server.port, "GET", path, {"Range": "bytes=1000-", "If-Range": '"other"'})

    assert (same.status, same.body) == (206, LARGE[1000:])
    assert (other.status, other.body) == (200, LARGE)


async def test_zstd_is_negotiated_and_is_the_bytes_of_the_frame(filled: Filled) -> None:
    path = "/chan/noarch/repodata.json"
    plain, frame = filled.whole[path], filled.whole[f"{path}.zst"]

    identity = await ask(filled.server.port, "GET", path)
    coded = await ask(filled.server.port, "GET", path, {"Accept-Encoding": "gzip, deflate, zstd"})
    unwanted = await ask(filled.server.port, "GET", path, {"Accept-Encoding": "zstd;q=0, gzip"})

    assert (coded.body, coded.fields["Content-Encoding"]) == (frame, "zstd")
    assert coded.fields["Content-Type"] == "application/json"
    assert coded.fields["Content-Length"] == str(len(frame))
    assert identity.body == unwanted.body == plain
    assert "Content-Encoding" not in identity.fields
    assert {answer.fields["Vary"] for answer in (identity, coded, unwanted)} == {"Accept-Encoding"}
    assert identity.fields["Etag"] == unwanted.fields["Etag"] != coded.fields["Etag"]
    # what a client remembers of one coding is no 304 for another
    crossed = await ask(filled.server.port, "GET", path, {"If-None-Match": coded.fields["Etag"]})
    assert (crossed.status, crossed.body) == (200, plain)


async def test_a_zst_is_sent_as_it_is_whatever_the_client_takes(filled: Filled) -> None:
    path = "/chan/noarch/repodata.json.zst"
    for accepted in ("identity", "gzip, deflate, zstd", "*"):
        answer = await ask(filled.server.port, "GET", path, {"Accept-Encoding": accepted})
        assert answer.body == filled.whole[path]
        assert "Content-Encoding" not in answer.fields
        assert answer.fields["Content-Type"] == "application/zstd"


async def test_an_artifact_is_never_coded(filled: Filled) -> None:
    answer = await ask(
        filled.server.port, "GET", "/chan/noarch/noise-1.0-0.conda", {"Accept-Encoding": "zstd"}
    )

    assert answer.body == LARGE
    assert "Content-Encoding" not in answer.fields
    assert "Vary" not in answer.fields
