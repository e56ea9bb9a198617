"""A client with a cache asks with what it has, and gets 304s: nothing is downloaded twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import rattler

from tests.clients.conftest import Watched, recording
from tests.support.packages import (
    TarMember,
    build_conda,
    conda_archive,
    index_json,
    info_files,
)
from tests.support.server import running_server, settings_in

PLATFORMS: tuple[Literal["linux-64"], Literal["noarch"]] = ("linux-64", "noarch")
SCRIPT = b"#!/bin/sh\necho hello from an installed package\n"


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """A channel whose documents are fresh for a second only."""
    settings = settings_in(tmp_path)
    settings = replace(settings, cache=replace(settings.cache, mutable_max_age_seconds=1))
    async with running_server(tmp_path, settings=settings) as server:
        server.channel()
        assert (await server.upload("alpha-1.0-0.conda", build_conda("alpha"))).status == 201
        index = index_json("tool", depends=["alpha"], subdir="linux-64")
        files = {"bin/hello": SCRIPT}
        tool = conda_archive(
            "tool-1.0-0", info_files(index, files), [TarMember("bin/hello", SCRIPT, mode=0o755)]
        )
        assert (await server.upload("tool-1.0-0.conda", tool)).status == 201
        await server.settled()
        async with recording(server) as watching:
            yield watching


async def solve(watched: Watched, cache: Path, *, sharded: bool) -> list[rattler.RepoDataRecord]:
    gateway = rattler.Gateway(
        cache_dir=cache, default_config=rattler.SourceConfig(sharded_enabled=sharded, bz2_enabled=False)
    )
    channel = rattler.Channel(f"{watched.url}/chan")
    return await rattler.solve([channel], ["tool"], gateway=gateway, platforms=PLATFORMS)


@pytest.mark.parametrize("sharded", [True, False], ids=["shards", "repodata.json.zst"])
async def test_it_revalidates(watched: Watched, tmp_path: Path, *, sharded: bool) -> None:
    first = await solve(watched, tmp_path / "cache", sharded=sharded)
    # the date of a document is told once its second is over, its ETag always; a second later it is stale
    await asyncio.sleep(1.1)
    watched.forget()
    again = await solve(watched, tmp_path / "cache", sharded=sharded)

    assert sorted(r.file_name for r in again) == sorted(r.file_name for r in first)
    document = "repodata_shards.msgpack.zst" if sharded else "repodata.json.zst"
    gets = [(path.rpartition("/")[2], status) for method, path, status in watched.asked if method == "GET"]
    assert gets == [(document, 304)] * 2
    assert {status for method, _, status in watched.asked if method == "HEAD"} <= {200}


async def test_within_its_age_it_does_not_even_ask(watched: Watched, tmp_path: Path) -> None:
    await solve(watched, tmp_path / "cache", sharded=False)
    watched.forget()
    await solve(watched, tmp_path / "cache", sharded=False)

    assert [asked for asked in watched.asked if asked[0] == "GET"] == []


async def test_what_it_installs_runs(watched: Watched, tmp_path: Path) -> None:
    records = await solve(watched, tmp_path / "cache", sharded=True)
    prefix = tmp_path / "env"
    await rattler.install(records, target_prefix=prefix, cache_dir=tmp_path / "packages")

    hello = await asyncio.create_subprocess_exec(prefix / "bin" / "hello", stdout=asyncio.subprocess.PIPE)
    output, _ = await hello.communicate()
    assert (hello.returncode, output) == (0, b"hello from an installed package\n")
    assert (prefix / "share" / "alpha" / "greeting.txt").read_text() == "hello from alpha\n"
