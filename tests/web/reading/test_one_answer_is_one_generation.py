"""However slowly a client reads, and however often the index changes meanwhile: its bytes are one generation's."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zstandard

from tests.support.edge import connected, head
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server

PADDING = "y" * 60_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A channel whose plain repodata.json has 6 MB: several steps of a stream, and more than any socket buffers."""
    async with running_server(tmp_path) as running:
        running.channel()
        packages = [
            running.ask(
                "PUT",
                f"/chan/noarch/alpha-{number}.0-0.conda",
                data=build_conda("alpha", f"{number}.0", index={"padding": f"{number} {PADDING}"}),
            )
            for number in range(100)
        ]
        assert {answer.status for answer in await asyncio.gather(*packages)} == {201}
        await running.settled()
        yield running


async def read_slowly(
    server: RunningServer, path: str, rounds: asyncio.Event
) -> tuple[dict[str, str], bytes]:
    """Take the header section and a little, then wait until the index has moved on several times."""
    async with connected(server.port, limit=65536) as (reader, writer):
        writer.write(head("GET", path, {"Connection": "close"}))
        section = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in section.split("\r\n")[1:] if line)
        body = await reader.read(1000)
        await rounds.wait()
        while data := await reader.read(65536):
            body += data
            await asyncio.sleep(0)
    return fields, body


async def test_a_slow_reader(server: RunningServer) -> None:
    generations: dict[str, set[bytes]] = {}
    paths = ("/chan/noarch/repodata.json", "/chan/noarch/repodata.json.zst")

    async def note() -> None:
        for path in paths:
            answer = await server.ask("GET", path, token=None, headers={"Accept-Encoding": "identity"})
            generations.setdefault(path, set()).add(hashlib.sha256(answer.body).digest())

    moved = asyncio.Event()
    await note()
    readers = [asyncio.create_task(read_slowly(server, path, moved)) for path in paths for _ in range(3)]
    await asyncio.sleep(0.1)
    for number in range(5):
        data = build_conda("beta", f"{number}.0", index={"padding": f"{number} {PADDING}"})
        assert (await server.ask("PUT", f"/chan/noarch/beta-{number}.0-0.conda", data=data)).status == 201
        await server.settled()
        await note()
    moved.set()

    for path, (fields, body) in zip(
        [path for path in paths for _ in range(3)], await asyncio.gather(*readers), strict=True
    ):
        assert len(body) == int(fields["Content-Length"])
        assert hashlib.sha256(body).digest() in generations[path]
        text = body if path.endswith(".json") else zstandard.ZstdDecompressor().decompress(body)
        shown = set(json.loads(text)["packages.conda"])
        assert shown == {f"alpha-{number}.0-0.conda" for number in range(100)}
    assert {len(seen) for seen in generations.values()} == {6}


async def test_etag_and_bytes_belong_together_while_it_changes(server: RunningServer) -> None:
    """Readers and uploads at the same time: one ETag never comes with two bodies, one body never with two ETags."""
    pairs: set[tuple[str, str, bytes]] = set()
    done = asyncio.Event()

    async def read(path: str) -> None:
        while not done.is_set():
            answer = await server.ask("GET", path, token=None, headers={"Accept-Encoding": "identity"})
            pairs.add((path, answer.headers["ETag"], hashlib.sha256(answer.body).digest()))

    async def change() -> None:
        for number in range(12):
            data = build_conda("gamma", f"{number}.0")
            assert (
                await server.ask("PUT", f"/chan/noarch/gamma-{number}.0-0.conda", data=data)
            ).status == 201
            await asyncio.sleep(0.02)
        await server.settled()
        done.set()

    names = ("repodata.json", "repodata.json.zst", "run_exports.json", "repodata_shards.msgpack.zst")
    await asyncio.gather(change(), *(read(f"/chan/noarch/{name}") for name in names))

    assert len({(path, tag) for path, tag, _ in pairs}) == len(pairs)
    assert len({(path, digest) for path, _, digest in pairs}) == len(pairs)
    assert len(pairs) > len(names)
