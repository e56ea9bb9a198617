"""A backup is one moment of a running server, whole, and an interrupted one takes nothing from the last."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from channeld.backup import backup as module
from channeld.backup.backup import take
from channeld.backup.folder import read_manifest
from channeld.catalog import channels, files, sweeping
from channeld.catalog.channels import ChannelSettings
from channeld.intake.sweeping import Sweeper
from tests.backup.conftest import bring_back, files_below, opened
from tests.support.catalog import NOW, actor
from tests.support.catalog import artifact as made
from tests.support.clock import ManualClock
from tests.support.packages import build_conda
from tests.support.server import running_server


async def test_it_is_consistent_while_uploads_go_on(tmp_path: Path) -> None:
    packages = {f"p{number}-1.0-0.conda": build_conda(f"p{number}") for number in range(60)}
    acknowledged: set[str] = set()
    backups = [tmp_path / f"backup-{number}" for number in range(3)]
    known: list[set[str]] = []

    async with running_server(tmp_path / "first") as server:
        server.channel()

        enough = [asyncio.Event() for _ in backups]

        async def upload(names: list[str]) -> None:
            for name in names:
                assert (await server.upload(name, packages[name])).status == 201
                acknowledged.add(name)
                for event in enough[: len(acknowledged) // 15]:
                    event.set()

        async def back_up() -> None:
            for event, folder in zip(enough, backups, strict=True):
                await event.wait()
                known.append(set(acknowledged))
                await asyncio.to_thread(take, server.services.instance, folder)

        await asyncio.gather(back_up(), *(upload(list(packages)[number::4]) for number in range(4)))

    for number, folder in enumerate(backups):
        bring_back(tmp_path / f"restored-{number}", folder)
        async with running_server(tmp_path / f"restored-{number}") as again:
            await again.settled()
            shown = set(await again.shown())
            assert known[number] <= shown <= set(packages)
            for name in shown:
                answer = await again.ask("GET", f"/chan/noarch/{name}")
                assert (answer.status, answer.body) == (200, packages[name])


async def test_an_interrupted_second_one_leaves_the_first_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    async with running_server(tmp_path / "first") as server:
        server.channel()
        assert (await server.upload("alpha-1.0-0.conda", build_conda("alpha"))).status == 201
        await server.settled()
        await asyncio.to_thread(take, server.services.instance, folder)
        assert (await server.upload("beta-1.0-0.conda", build_conda("beta"))).status == 201
        await server.settled()

        for step in ("_copy_artifacts", "_copy_packs", "write_manifest"):

            def fail(*_arguments: object) -> None:
                raise OSError("the power is gone")

            with monkeypatch.context() as patch:
                patch.setattr(module, step, fail)
                with pytest.raises(OSError, match="the power is gone"):
                    await asyncio.to_thread(take, server.services.instance, folder)

            bring_back(tmp_path / f"after {step}", folder)
            async with running_server(tmp_path / f"after {step}") as again:
                assert await again.shown() == ["alpha-1.0-0.conda"]

        report = await asyncio.to_thread(take, server.services.instance, folder)
        assert report.artifacts == 2
    assert len(list(folder.glob("catalog-*"))) == 1


async def test_the_same_again_copies_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with running_server(tmp_path / "first") as server:
        server.channel()
        assert (await server.upload("alpha-1.0-0.conda", build_conda("alpha"))).status == 201
        await server.settled()
        await asyncio.to_thread(take, server.services.instance, folder)
        before = files_below(folder)
        report = await asyncio.to_thread(take, server.services.instance, folder)

    assert (report.artifacts, report.copied_files, report.copied_bytes) == (1, 0, 0)
    after = files_below(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert all(name == "manifest.json" or name.startswith("catalog-") for name in changed)


async def test_a_damaged_artifact_is_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    good, bad, gone = (build_conda(name) for name in ("good", "bad", "gone"))
    async with running_server(tmp_path / "first") as server:
        server.channel()
        for name, data in (("good", good), ("bad", bad), ("gone", gone)):
            assert (await server.upload(f"{name}-1.0-0.conda", data)).status == 201
        await server.settled()
        blobs = server.services.instance.blobs
        path = blobs.path(hashlib.sha256(bad).hexdigest())
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        blobs.path(hashlib.sha256(gone).hexdigest()).unlink()

        report = await asyncio.to_thread(take, server.services.instance, folder)

    damaged = tuple(sorted(hashlib.sha256(data).hexdigest() for data in (bad, gone)))
    assert report.damaged == damaged
    assert read_manifest(folder).absent == damaged
    bring_back(tmp_path / "second", folder)
    async with running_server(tmp_path / "second") as again:
        statuses = {
            name: (await again.ask("GET", f"/chan/noarch/{name}-1.0-0.conda")).status
            for name in ("good", "bad", "gone")
        }
        assert statuses == {"good": 200, "bad": 503, "gone": 503}
        # uploading it again repairs it
        assert (await again.upload("bad-1.0-0.conda", bad)).status == 200
        assert (await again.ask("GET", "/chan/noarch/bad-1.0-0.conda")).body == bad


def test_what_was_swept_is_no_damage(tmp_path: Path) -> None:
    """The row of a deleted file stays when its bytes have gone; a backup does not look for them."""
    with opened(tmp_path / "first") as instance:
        database = instance.database
        database.write_now(lambda c: channels.create(c, "chan", ChannelSettings(), actor()))
        alpha = made("alpha")
        incoming = instance.blobs.receive()
        incoming.write(b"noarch/alpha-1.0-0.conda ")
        incoming.keep()
        database.write_now(lambda c: files.add(c, "chan", alpha, ("main",), actor()))
        database.write_now(lambda c: files.delete(c, "chan", "noarch", alpha.filename, actor()))
        clock = ManualClock(NOW + 10**11)
        swept = Sweeper(database, instance.blobs, clock, keep_artifacts_seconds=1).sweep()
        assert swept.artifacts == 1
        assert database.read_now(lambda c: sweeping.orphans(c, clock.now_ms())) == []

        report = take(instance, tmp_path / "backup")

    assert (report.artifacts, report.damaged) == (0, ())
    bring_back(tmp_path / "second", tmp_path / "backup")
    assert json.loads((tmp_path / "backup" / "manifest.json").read_bytes())["absent"] == []
