"""Rule: bytes that come in take the place of those stored under their hash, which a disk may have damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.packages import build_conda
from tests.support.server import running_server
from tests.support.stored import stored_in

CONDA = build_conda("alpha")
SHA256 = hashlib.sha256(CONDA).hexdigest()
PATH = "/chan/noarch/alpha-1.0-0.conda"


def damage(data_dir: Path) -> None:
    blob = data_dir / "blobs" / SHA256[:2] / SHA256
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 0xFF
    blob.write_bytes(data)


@pytest.mark.parametrize(
    ("channel", "status"), [("chan", 200), ("other", 201)], ids=["where it is", "elsewhere"]
)
async def test_uploading_a_package_again_mends_it(tmp_path: Path, channel: str, status: int) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        server.channel("other")
        assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
        damage(tmp_path / "data")
        assert (await server.ask("GET", PATH)).body != CONDA

        again = await server.ask("PUT", f"/{channel}/noarch/alpha-1.0-0.conda", data=CONDA)

        assert again.status == status
        assert (await server.ask("GET", PATH)).body == CONDA
        stored = stored_in(server.database, tmp_path / "data")
        assert stored.blobs == {SHA256}
        assert not stored.unfinished


async def test_a_refused_upload_leaves_what_is_stored(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        server.channel()
        assert (await server.ask("PUT", PATH, data=CONDA)).status == 201
        assert (await server.ask("PUT", PATH, data=CONDA[:-1])).status == 422
        assert (await server.ask("GET", PATH)).body == CONDA
