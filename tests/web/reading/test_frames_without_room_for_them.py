"""A frame for which the disk has no room is sent all the same, out of its pages."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from channeld.web.sending import CHUNK
from tests.support.edge import ask
from tests.support.faults import FillingDisk
from tests.support.indexing import messages
from tests.support.packages import build_conda
from tests.support.server import running_server

PATH = "/chan/noarch/repodata.json"


@pytest.mark.parametrize("count", [1, 30], ids=["small", "large"])
async def test_a_frame_without_room_for_it_is_sent_out_of_its_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    caplog.set_level(logging.DEBUG, "channeld.web.sending")
    disk = FillingDisk()
    async with running_server(tmp_path, disk=disk) as server:
        server.channel()
        noise = random.Random(1)
        for number in range(count):
            data = build_conda("alpha", f"{number}.0", index={"padding": noise.randbytes(20_000).hex()})
            await server.upload(f"alpha-{number}.0-0.conda", data)
        await server.settled()
        coded = {"Accept-Encoding": "zstd"}
        before = await ask(server.port, "GET", f"{PATH}.zst")
        before_coded = await ask(server.port, "GET", PATH, coded)

        disk.full_folder = "frames"
        for frame in (tmp_path / "data" / "frames").rglob("*.zst"):
            frame.unlink()

        whole = await ask(server.port, "GET", f"{PATH}.zst")
        assert (whole.status, whole.body) == (200, before.body)
        assert (len(whole.body) > CHUNK) is (count > 1)
        assert whole.fields["Etag"] == before.fields["Etag"]
        part = await ask(server.port, "GET", f"{PATH}.zst", {"Range": "bytes=20-"})
        assert (part.status, part.body) == (206, before.body[20:])
        assert (await ask(server.port, "GET", PATH, coded)).body == before_coded.body
        assert list((tmp_path / "data" / "frames").rglob("*.zst")) == []
    assert any(
        f"{PATH}.zst is sent without a file. The disk" in text for text in messages(caplog, logging.DEBUG)
    )


async def test_readers_do_not_take_the_last_room(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
        await server.settled()
        before = await ask(server.port, "GET", f"{PATH}.zst")
        for frame in (tmp_path / "data" / "frames").rglob("*.zst"):
            frame.unlink()
        server.services.instance.blobs.reserve_bytes = 2**60
        assert (await ask(server.port, "GET", f"{PATH}.zst")).body == before.body
        assert list((tmp_path / "data" / "frames").rglob("*.zst")) == []
        server.services.instance.blobs.reserve_bytes = 0
        assert (await ask(server.port, "GET", f"{PATH}.zst")).body == before.body
        assert len(list((tmp_path / "data" / "frames").rglob("*.zst"))) == 1


async def test_a_page_that_is_gone_as_well_is_503(tmp_path: Path) -> None:
    disk = FillingDisk()
    async with running_server(tmp_path, disk=disk) as server:
        server.channel()
        await server.upload("alpha-1.0-0.conda", build_conda("alpha"))
        await server.settled()
    async with running_server(tmp_path, disk=disk, indexing=False) as server:
        disk.full_folder = "frames"
        for file in (tmp_path / "data").rglob("*.zst"):
            file.unlink()
        for pack in (tmp_path / "data" / "packs").rglob("*.pack"):
            pack.write_bytes(bytes(pack.stat().st_size))
        answer = await ask(server.port, "GET", f"{PATH}.zst")
        assert answer.status == 503
        assert "Etag" not in answer.fields
