"""py-rattler, the engine of pixi, finds everything at the first try, revalidates, and installs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import rattler
from rattler.package_streaming import PackageArchive

from tests.clients.conftest import Watched
from tests.support.packages import build_conda
from tests.support.server import grant

PLATFORMS: tuple[Literal["linux-64"], Literal["noarch"]] = ("linux-64", "noarch")


def gateway(folder: Path, *, sharded: bool) -> rattler.Gateway:
    return rattler.Gateway(
        cache_dir=folder / "repodata-cache",
        default_config=rattler.SourceConfig(sharded_enabled=sharded),
    )


async def solved(url: str, spec: str, fetching: rattler.Gateway) -> list[str]:
    records = await rattler.solve([rattler.Channel(url)], [spec], gateway=fetching, platforms=PLATFORMS)
    return sorted(str(record.file_name) for record in records)


@pytest.mark.parametrize("sharded", [True, False], ids=["shards", "repodata.json.zst"])
async def test_it_solves_from_a_fresh_cache(watched: Watched, tmp_path: Path, sharded: bool) -> None:
    """And every request but the probe for bz2, which we do not offer, is answered with what was asked for."""
    found = await solved(f"{watched.url}/chan", "beta", gateway(tmp_path, sharded=sharded))

    assert found == ["alpha-1.0-0.conda", "beta-1.0-0.tar.bz2"]
    missed = {path.rpartition("/")[2] for _, path, status in watched.asked if status >= 400}
    assert missed <= {"repodata.json.bz2"}
    assert bool(watched.statuses("repodata_shards.msgpack.zst")) == sharded
    assert bool(watched.statuses("repodata.json.zst")) != sharded


async def test_it_never_falls_back_from_shards(watched: Watched, tmp_path: Path) -> None:
    await solved(f"{watched.url}/chan", "beta", gateway(tmp_path, sharded=True))

    assert watched.statuses("repodata_shards.msgpack.zst") == [200, 200]
    assert [path for _, path, _ in watched.asked if "repodata.json" in path] == []


@pytest.mark.parametrize("sharded", [True, False], ids=["shards", "repodata.json.zst"])
async def test_an_upload_is_seen_by_who_asks_again(watched: Watched, tmp_path: Path, sharded: bool) -> None:
    """With a cache that is past its age a second look gets what is new, and nothing but what is new."""
    before = gateway(tmp_path, sharded=sharded)
    await solved(f"{watched.url}/chan", "alpha", before)
    await watched.server.upload("alpha-1.5-0.conda", build_conda("alpha", "1.5"))
    await watched.server.settled()
    fresh = rattler.Gateway(
        cache_dir=tmp_path / "repodata-cache",
        default_config=rattler.SourceConfig(sharded_enabled=sharded, cache_action="no-cache"),
    )
    fresh.clear_repodata_cache(rattler.Channel(f"{watched.url}/chan"))

    assert await solved(f"{watched.url}/chan", "alpha", fresh) == ["alpha-1.5-0.conda"]


async def test_a_label_is_a_channel(watched: Watched, tmp_path: Path) -> None:
    found = await solved(f"{watched.url}/chan/label/dev", "alpha", gateway(tmp_path, sharded=True))

    assert found == ["alpha-2.0-0.conda"]
    assert all(status < 400 for _, _, status in watched.asked)


async def test_it_installs_what_it_solved(watched: Watched, tmp_path: Path) -> None:
    records = await rattler.solve(
        [rattler.Channel(f"{watched.url}/chan")],
        ["beta"],
        gateway=gateway(tmp_path, sharded=True),
        platforms=PLATFORMS,
    )
    prefix = tmp_path / "env"
    await rattler.install(records, target_prefix=prefix, cache_dir=tmp_path / "packages")

    installed = sorted(path.name for path in (prefix / "conda-meta").glob("*.json"))
    assert installed == ["alpha-1.0-0.json", "beta-1.0-0.json"]


async def test_a_private_channel_is_read_with_a_token_in_the_path(watched: Watched, tmp_path: Path) -> None:
    watched.server.channel("secret", private=True)
    await watched.server.upload("gamma-1.0-0.conda", build_conda("gamma", "1.0"), channel="secret")
    await watched.server.settled("secret")
    token = watched.server.token(grant("read", channels="secret"))

    with pytest.raises(Exception, match="401"):
        await solved(f"{watched.url}/secret", "gamma", gateway(tmp_path / "without", sharded=True))
    found = await solved(f"{watched.url}/t/{token}/secret", "gamma", gateway(tmp_path / "with", sharded=True))
    assert found == ["gamma-1.0-0.conda"]


async def test_the_archive_is_read_in_parts(watched: Watched) -> None:
    """rattler reads the metadata of a remote package by ranges, without fetching all of it."""
    url = f"{watched.url}/chan/noarch/alpha-1.0-0.conda"
    archive = await PackageArchive.from_url(rattler.Client(), url)
    index = await archive.index_json()

    assert str(index.name.normalized) == "alpha"
    assert watched.statuses("alpha-1.0-0.conda") == [206]
