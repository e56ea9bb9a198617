"""The requests of conda, mamba and rattler, as they send them: the first answer is the right one.

No 404 that a client remembers, no fallback, and 304 for whoever comes again. The sequences are those of conda 26.7,
libmamba 2.8 and rattler 0.28.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pytest
import zstandard

from tests.support.edge import Answer, ask
from tests.support.packages import build_conda
from tests.support.server import RunningServer, grant, running_server

CONDA = {"User-Agent": "conda/26.7.1", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, zstd"}
MAMBA = {"User-Agent": "libmamba/2.8.0 libcurl/8.9.1", "Accept": "*/*"}
RATTLER = {"User-Agent": "rattler/0.28.0", "Accept": "*/*"}
SUBDIRS = ("linux-64", "noarch")


@dataclass(frozen=True)
class Site:
    """Where a channel is: its own URL, a label's, or below a token."""

    server: RunningServer
    top: str

    async def ask(self, method: str, path: str, fields: dict[str, str]) -> Answer:
        return await ask(self.server.port, method, f"{self.top}/{path}", fields)


@pytest.fixture(params=["channel", "label", "token"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with running_server(tmp_path) as server:
        where = str(request.param)
        server.channel(private=where == "token")
        top = "/chan/label/dev" if where == "label" else "/chan"
        data = build_conda("alpha", info={"run_exports.json": b'{"weak": ["alpha >=1"]}'})
        assert (await server.ask("PUT", f"{top}/noarch/alpha-1.0-0.conda", data=data)).status == 201
        await server.settled()
        token = server.token(grant("read", channels="chan"))
        yield Site(server, f"/t/{token}{top}" if where == "token" else top)


def validators(answer: Answer) -> dict[str, str]:
    return {"If-None-Match": answer.fields["Etag"]}


def shards_in(answer: Answer) -> list[str]:
    index = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(answer.body))
    assert index["info"]["base_url"] == ""
    assert index["info"]["shards_base_url"] == "./shards/"
    assert isinstance(index["info"]["created_at"], str)
    return [f"shards/{sha256.hex()}.msgpack.zst" for sha256 in index["shards"].values()]


async def test_conda_with_shards(site: Site) -> None:
    assert (await site.ask("GET", "notices.json", CONDA)).status == 200
    for subdir in SUBDIRS:
        index = await site.ask("GET", f"{subdir}/repodata_shards.msgpack.zst", CONDA)
        assert index.status == 200
        assert "Content-Encoding" not in index.fields
        for shard in shards_in(index):
            answer = await site.ask("GET", f"{subdir}/{shard}", CONDA)
            assert answer.status == 200
            found = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(answer.body))
            assert {"packages", "packages.conda"} <= set(found)
        again = {**CONDA, **validators(index), "If-Modified-Since": index.fields.get("Last-Modified", "")}
        assert (await site.ask("GET", f"{subdir}/repodata_shards.msgpack.zst", again)).status == 304
    resumed = await site.ask("GET", "noarch/alpha-1.0-0.conda", {**CONDA, "Range": "bytes=100-"})
    assert resumed.status == 206


@pytest.mark.parametrize("document", ["current_repodata.json", "repodata.json"])
async def test_conda_without_shards(site: Site, document: str) -> None:
    for subdir in SUBDIRS:
        first = await site.ask("GET", f"{subdir}/{document}.zst", CONDA)
        assert (first.status, first.fields.get("Content-Encoding")) == (200, None)
        again = await site.ask("GET", f"{subdir}/{document}.zst", {**CONDA, **validators(first)})
        assert again.status == 304
        # conda takes the ETag of one for the other when it falls back
        plain = await site.ask("GET", f"{subdir}/{document}", {**CONDA, **validators(first)})
        assert plain.status == 200
        assert plain.body


async def test_mamba(site: Site) -> None:
    for subdir in SUBDIRS:
        for name in ("repodata.json.zst", "repodata_shards.msgpack.zst"):
            probe = await site.ask("HEAD", f"{subdir}/{name}", MAMBA)
            assert (probe.status, probe.body) == (200, b"")
            assert "Location" not in probe.fields
        index = await site.ask("GET", f"{subdir}/repodata_shards.msgpack.zst", MAMBA)
        assert index.status == 200
        assert "max-age=" in index.fields["Cache-Control"]
        for shard in shards_in(index):
            assert (await site.ask("GET", f"{subdir}/{shard}", MAMBA)).status == 200
        # one record of validators for all three: no false 304
        for name in ("repodata.json.zst", "repodata.json"):
            crossed = await site.ask("GET", f"{subdir}/{name}", {**MAMBA, **validators(index)})
            assert crossed.status == 200
            mine = await site.ask("GET", f"{subdir}/{name}", {**MAMBA, **validators(crossed)})
            assert mine.status == 304


async def test_rattler(site: Site) -> None:
    for subdir in SUBDIRS:
        index = await site.ask("GET", f"{subdir}/repodata_shards.msgpack.zst", RATTLER)
        assert index.status == 200
        for shard in shards_in(index):
            answer = await site.ask("GET", f"{subdir}/{shard}", {**RATTLER, "Cache-Control": "no-store"})
            assert answer.status == 200
        probe = await site.ask("HEAD", f"{subdir}/repodata.json.zst", RATTLER)
        assert probe.status == 200
        assert (await site.ask("HEAD", f"{subdir}/repodata.json.bz2", RATTLER)).status == 404
        for name in ("repodata.json.zst", "run_exports.json.zst", "run_exports.json"):
            answer = await site.ask("GET", f"{subdir}/{name}", RATTLER)
            assert answer.status == 200
            assert (
                await site.ask("GET", f"{subdir}/{name}", {**RATTLER, **validators(answer)})
            ).status == 304
    sparse = await site.ask("GET", "noarch/alpha-1.0-0.conda", {**RATTLER, "Range": "bytes=-65536"})
    assert sparse.status in (200, 206)
    assert sparse.body


async def test_a_subdir_without_packages_is_as_good_as_any(site: Site) -> None:
    for name in (
        "repodata.json",
        "repodata.json.zst",
        "repodata_shards.msgpack.zst",
        "current_repodata.json",
    ):
        assert (await site.ask("GET", f"linux-64/{name}", {})).status == 200
