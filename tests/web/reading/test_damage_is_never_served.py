"""Stored bytes that have changed are never served: 503, and a moment later the right ones again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard

from tests.support.documents import paths
from tests.support.edge import ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, running_server


def flip(path: Path) -> None:
    """Change a byte of every 40."""
    data = bytearray(path.read_bytes())
    for at in range(7, len(data), 40):
        data[at] ^= 0xFF
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def zero(path: Path) -> None:
    """What some file systems leave after a power failure."""
    path.write_bytes(bytes(path.stat().st_size))


def index_in(body: bytes) -> dict[str, Any]:
    """Read a shard index, without the time at which it was made."""
    index: dict[str, Any] = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(body))
    del index["info"]["created_at"]
    return index


async def published(server: RunningServer, name: str) -> None:
    """Upload a package, and wait until it is in the index."""
    answer = await server.ask("PUT", f"/chan/noarch/{name}-1.0-0.conda", data=build_conda(name))
    assert answer.status == 201
    await server.settled()


async def shards_of(server: RunningServer) -> list[str]:
    answer = await ask(server.port, "GET", "/chan/noarch/repodata_shards.msgpack.zst")
    hashes = index_in(answer.body)["shards"].values()
    return [f"/chan/noarch/shards/{sha256.hex()}.msgpack.zst" for sha256 in hashes]


async def documents(server: RunningServer) -> list[str]:
    """Every document that says nothing of when it was published."""
    shards = await shards_of(server)
    return [
        path for path in paths() if path.endswith((".json", ".zst")) and "last-updated" not in path
    ] + shards


@pytest.mark.parametrize("damage", [flip, cut, zero, Path.unlink], ids=["flipped", "cut", "zeros", "gone"])
async def test_every_document_comes_back(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    # published at once, as it will be when it is repaired: what is published in a hurry is compressed less
    async with running_server(tmp_path, indexing=False) as server:
        server.channel()
        for name in ("alpha", "beta"):
            for number in range(5):
                data = build_conda(name, f"{number}.0")
                path = f"/chan/noarch/{name}-{number}.0-0.conda"
                assert (await server.ask("PUT", path, data=data)).status == 201
    async with running_server(tmp_path) as server:
        await server.settled()
        asked = await documents(server)
        before = {path: (await ask(server.port, "GET", path)).body for path in asked}

    # nothing is in the memory of the next server
    for pack in (tmp_path / "data" / "packs").rglob("*"):
        if pack.is_file():
            damage(pack)
    for frame in (tmp_path / "data" / "frames").rglob("*.zst"):
        frame.unlink()

    async with running_server(tmp_path) as server:
        waiting = set(asked)
        statuses: set[int] = set()
        for _ in range(400):
            for path in sorted(waiting):
                answer = await ask(server.port, "GET", path)
                statuses.add(answer.status)
                if answer.status == 503:
                    assert int(answer.fields["Retry-After"]) > 0
                    assert answer.fields["Cache-Control"] == "no-store"
                    assert "Etag" not in answer.fields
                elif "shards.msgpack" in path and "/shards/" not in path:
                    assert index_in(answer.body) == index_in(before[path])
                    waiting.discard(path)
                else:
                    assert (answer.status, answer.body) == (200, before[path])
                    waiting.discard(path)
            if not waiting:
                break
            await asyncio.sleep(0.05)

        assert waiting == set()
        assert statuses == {200, 503}
        text = (await ask(server.port, "GET", "/metrics")).body.decode()
        (line,) = [line for line in text.splitlines() if line.startswith("channeld_damaged_pieces_total ")]
        assert float(line.split()[1]) >= 1


@pytest.mark.parametrize("damage", [flip, cut, zero], ids=["flipped", "cut", "zeros"])
async def test_a_damaged_frame_is_made_again_before_anybody_gets_it(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        await published(server, "alpha")
        path = "/chan/noarch/repodata.json.zst"
        before = (await ask(server.port, "GET", path)).body
        for frame in (tmp_path / "data" / "frames").rglob("*.zst"):
            damage(frame)

        for _ in range(2):
            answer = await ask(server.port, "GET", path)
            assert (answer.status, answer.body) == (200, before)
        text = (await ask(server.port, "GET", "/metrics")).body.decode()
        assert "channeld_damaged_pieces_total 1.0" in text

        # nor does what is published next take anything of the damaged ones
        await published(server, "beta")
        frame_text = zstandard.ZstdDecompressor().decompress((await ask(server.port, "GET", path)).body)
        assert frame_text == (await ask(server.port, "GET", "/chan/noarch/repodata.json")).body


async def test_damage_that_a_publication_meets_is_counted_too(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        await published(server, "alpha")
        for pack in (tmp_path / "data" / "packs").rglob("*"):
            if pack.is_file():
                flip(pack)

        await published(server, "beta")

        text = (await ask(server.port, "GET", "/metrics")).body.decode()
        (line,) = [line for line in text.splitlines() if line.startswith("channeld_damaged_pieces_total ")]
        assert float(line.split()[1]) >= 1
        body = (await ask(server.port, "GET", "/chan/noarch/repodata.json")).body
        assert b"alpha-1.0-0.conda" in body
        assert b"beta-1.0-0.conda" in body


async def test_damage_in_the_middle_of_a_stream_breaks_it_off_and_is_repaired(tmp_path: Path) -> None:
    """The first bytes are on their way already; what follows is not made up."""
    padding = "x" * 60_000
    async with running_server(tmp_path) as server:
        server.channel()
        for number in range(100):
            data = build_conda("alpha", f"{number}.0", index={"padding": f"{number} {padding}"})
            assert (
                await server.ask("PUT", f"/chan/noarch/alpha-{number}.0-0.conda", data=data)
            ).status == 201
        await server.settled()
        path = "/chan/noarch/repodata.json"
        whole = (await ask(server.port, "GET", path)).body
        assert len(whole) > 5_000_000

        place = server.services.shelf
        view = await place.view("chan", "main", "noarch")
        assert view is not None
        document = view.documents["repodata.json"]
        table = server.services.instance.tables.get(document.table)  # type: ignore[union-attr]
        last = list(table.pages())[-1].place
        (file,) = [p for p in (tmp_path / "data" / "packs").rglob("*") if p.name.startswith(last.pack)]
        changed = bytearray(file.read_bytes())
        changed[last.start + last.size // 2] ^= 0xFF
        file.write_bytes(changed)

        broken = await ask(server.port, "GET", path)
        assert broken.status == 200
        assert len(broken.body) < int(broken.fields["Content-Length"])
        assert whole.startswith(broken.body)

        for _ in range(200):
            answer = await ask(server.port, "GET", path)
            if answer.body == whole:
                break
            assert whole.startswith(answer.body) or answer.status == 503
            await asyncio.sleep(0.05)
        assert answer.body == whole


async def test_a_missing_artifact_is_503_and_one_that_is_cut_short_too(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        data = build_conda("alpha")
        path = "/chan/noarch/alpha-1.0-0.conda"
        assert (await server.ask("PUT", path, data=data)).status == 201
        (blob,) = (tmp_path / "data" / "blobs").glob("??/*")

        blob.write_bytes(data[:-1])
        short = await ask(server.port, "GET", path)
        blob.unlink()
        gone = await ask(server.port, "GET", path)

    for answer in (short, gone):
        assert answer.status == 503
        assert answer.fields["Cache-Control"] == "no-store"
        assert "Etag" not in answer.fields
