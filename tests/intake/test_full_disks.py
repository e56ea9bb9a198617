"""A disk without room, or with no more than its reserve, is a matter of waiting: 503, and nothing is left."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from channeld.blobs import local
from tests.support.edge import connected, divided, head
from tests.support.faults import FullDisk
from tests.support.packages import build_conda
from tests.support.server import running_server, settings_in
from tests.support.stored import NOTHING, stored_in

SMALL = build_conda("alpha")
LARGE = build_conda("alpha", files={"share/noise": random.Random(1).randbytes(3_000_000)})
FILE = "alpha-1.0-0.conda"
RESERVE = 1_000_000


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_disk_that_becomes_full_while_it_is_written_to(tmp_path: Path, data: bytes) -> None:
    disk = FullDisk(free=len(data) // 2)
    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        server.services.instance.blobs.check_room()
        disk.free_bytes = lambda folder: 10**12  # type: ignore[method-assign]

        answer = await server.upload(FILE, data)

        assert answer.problem == (503, "disk_full")
        assert answer.headers["Retry-After"] == "60"
        assert stored_in(server.database, tmp_path / "data") == NOTHING
        disk.free = 10**9
        assert (await server.upload(FILE, data)).status == 201


async def test_below_the_reserve_uploads_wait_and_reading_goes_on(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings = replace(settings, storage=replace(settings.storage, reserve_bytes=RESERVE))
    disk = FullDisk(free=RESERVE + len(SMALL))
    async with running_server(tmp_path, settings=settings, indexing=False, disk=disk) as server:
        server.channel()
        assert (await server.upload(FILE, SMALL)).status == 201
        assert disk.free == RESERVE

        other = build_conda("beta")
        answer = await server.upload("beta-1.0-0.conda", other)

        assert answer.problem == (503, "disk_full")
        assert answer.json["title"] == (
            "The disk that holds blobs is full: 1,000,000 free bytes are kept in reserve (storage.reserve_bytes)."
        )
        assert (await server.ask("GET", f"/chan/noarch/{FILE}")).body == SMALL
        assert len(stored_in(server.database, tmp_path / "data").blobs) == 1


async def test_an_announced_length_that_would_eat_the_reserve_is_refused_before_it_is_read(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    settings = replace(settings, storage=replace(settings.storage, reserve_bytes=RESERVE))
    disk = FullDisk(free=RESERVE + 1_000_000)
    async with running_server(tmp_path, settings=settings, indexing=False, disk=disk) as server:
        server.channel()
        fields = {"Authorization": f"Bearer {server.admin}", "Content-Length": str(len(LARGE))}
        async with connected(server.port) as (reader, writer):
            writer.write(head("PUT", f"/chan/noarch/{FILE}", fields) + LARGE[: 1024 * 1024 + 1])
            answer = divided(await reader.readuntil(b"\r\n\r\n"))

        assert (answer.status, answer.fields["Retry-After"]) == (503, "60")
        assert disk.free == RESERVE + 1_000_000
        assert stored_in(server.database, tmp_path / "data") == NOTHING


async def test_a_body_of_unknown_length_stops_at_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_LOOK_BYTES", 1024 * 1024)
    settings = settings_in(tmp_path)
    settings = replace(settings, storage=replace(settings.storage, reserve_bytes=RESERVE))
    disk = FullDisk(free=RESERVE + 2_500_000)
    async with running_server(tmp_path, settings=settings, indexing=False, disk=disk) as server:
        server.channel()
        fields = {"Authorization": f"Bearer {server.admin}", "Transfer-Encoding": "chunked"}
        async with connected(server.port) as (reader, writer):
            writer.write(head("PUT", f"/chan/noarch/{FILE}", fields))
            writer.write(b"%x\r\n" % len(LARGE) + LARGE + b"\r\n0\r\n\r\n")
            answer = divided(await reader.readuntil(b"\r\n\r\n"))

        assert (answer.status, answer.fields["Retry-After"]) == (503, "60")
        assert disk.free >= RESERVE
        assert stored_in(server.database, tmp_path / "data") == NOTHING
