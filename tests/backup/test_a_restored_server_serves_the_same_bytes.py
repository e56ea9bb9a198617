"""What comes back from a backup is served as it was: every document, shard and package, under the same ETag."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from channeld.backup.backup import take
from channeld.backup.restore import restore
from channeld.clock import SystemClock
from channeld.formats.shard import decode_shard_index
from channeld.instance import open_instance
from channeld.settings import Settings
from tests.support.databases import backend, database_url, postgres_server, sqlite_template
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.server import RunningServer, running_server, settings_in

__all__ = ["backend", "database_url", "postgres_server", "sqlite_template"]

DOCUMENTS = (
    *(
        "repodata.json",
        "repodata.json.zst",
        "repodata_from_packages.json",
        "run_exports.json",
        "run_exports.json.zst",
    ),
    *("current_repodata.json", "repodata_shards.msgpack.zst"),
)


async def fill(server: RunningServer) -> None:
    """Make a channel with labels, a broken file and a deleted one."""
    server.channel()
    await server.upload("alpha-1.0-0.conda", build_conda("alpha", "1.0"))
    await server.upload("beta-1.0-0.tar.bz2", build_tar_bz2("beta", "1.0"), "main", "dev")
    await server.upload("gamma-1.0-0.conda", build_conda("gamma", "1.0"), "main", "broken")
    await server.upload("delta-1.0-0.conda", build_conda("delta", "1.0"))
    await server.ask("DELETE", "/api/v1/channels/chan/files/noarch/delta-1.0-0.conda")
    await server.settled()


async def served(server: RunningServer) -> dict[str, tuple[int, str, bytes]]:
    """Fetch everything: status, ETag and body by path."""
    paths = [
        f"/chan{below}/{name}" for below in ("", "/label/dev") for name in ("channeldata.json", "rss.xml")
    ]
    for below in ("/chan/noarch", "/chan/linux-64", "/chan/label/dev/noarch", "/chan/label/broken/noarch"):
        paths += [f"{below}/{document}" for document in DOCUMENTS]
        index = decode_shard_index((await server.ask("GET", f"{below}/repodata_shards.msgpack.zst")).body)
        paths += [f"{below}/shards/{digest.hex()}.msgpack.zst" for digest in index.shards.values()]
    for name in ("alpha-1.0-0.conda", "beta-1.0-0.tar.bz2", "gamma-1.0-0.conda", "delta-1.0-0.conda"):
        paths.append(f"/chan/noarch/{name}")
    answers = {}
    for path in paths:
        answer = await server.ask(
            "GET", path, headers={"Accept-Encoding": "identity", "X-Request-Id": "same"}
        )
        body = answer.body.replace(server.url.encode(), b"URL")
        etag = answer.headers.get("Etag", "") if "rss.xml" not in path else ""
        answers[path] = answer.status, etag, body
    return answers


def restored_into(settings: Settings, folder: Path) -> None:
    instance = open_instance(settings, SystemClock())
    try:
        restore(instance, folder)
    finally:
        instance.close()


async def test_every_document_and_package_comes_back(tmp_path: Path) -> None:
    async with running_server(tmp_path / "first") as server:
        await fill(server)
        before = await served(server)
        await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")
    settings = settings_in(tmp_path / "second")
    restored_into(settings, tmp_path / "backup")
    async with running_server(tmp_path / "second", settings=settings) as again:
        after = await served(again)

    assert after == before
    assert {status for status, _, _ in before.values()} == {200, 404}
    assert [path for path, (status, _, _) in before.items() if status == 404] == [
        "/chan/noarch/delta-1.0-0.conda"
    ]


async def test_it_goes_on_where_it_was(tmp_path: Path, database_url: str) -> None:
    """The restored catalog, in either database, takes the next upload, and keeps the names that were taken."""
    async with running_server(tmp_path / "first") as server:
        await fill(server)
        await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")
    settings = settings_in(tmp_path / "second")
    settings = replace(settings, storage=replace(settings.storage, database_url=database_url))
    await asyncio.to_thread(restored_into, settings, tmp_path / "backup")
    async with running_server(tmp_path / "second", settings=settings) as again:
        new = await again.upload("epsilon-1.0-0.conda", build_conda("epsilon", "1.0"))
        taken = await again.upload(
            "delta-1.0-0.conda", build_conda("delta", "1.0", files={"share/x": b"other"})
        )

        assert (new.status, taken.problem) == (201, (409, "file_conflict"))
        assert await again.shown() == ["beta-1.0-0.tar.bz2", "alpha-1.0-0.conda", "epsilon-1.0-0.conda"]


async def test_a_second_backup_copies_only_what_is_new(tmp_path: Path) -> None:
    async with running_server(tmp_path / "first") as server:
        await fill(server)
        first = await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")
        await server.upload("epsilon-1.0-0.conda", build_conda("epsilon", "1.0"))
        await server.settled()
        second = await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")

    assert first.artifacts == 4
    assert second.artifacts == 5
    blobs = [path for path in (tmp_path / "backup/blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 5
    assert second.copied_files < first.copied_files


async def test_a_damaged_backup_restores_nothing(tmp_path: Path) -> None:
    async with running_server(tmp_path / "first") as server:
        await fill(server)
        await asyncio.to_thread(take, server.services.instance, tmp_path / "backup")
    victim = next(path for path in (tmp_path / "backup/blobs").rglob("*") if path.is_file())
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")

    with pytest.raises(Exception, match=victim.name):
        restored_into(settings_in(tmp_path / "second"), tmp_path / "backup")
    async with running_server(tmp_path / "second") as empty:
        assert (await empty.ask("GET", "/api/v1/channels")).json == {"channels": []}
