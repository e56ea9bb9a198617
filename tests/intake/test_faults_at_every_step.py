"""Whatever step of an upload fails, and whether or not it took effect: nothing is lost, nothing is half there.

An upload that was not acknowledged is either not there or whole, and sending it again succeeds. What was acknowledged
before stays.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from pathlib import Path

import pytest

from channeld.intake import ingest
from tests.support.faults import Fault, FaultyDisk, Steps, make_faulty
from tests.support.packages import build_conda
from tests.support.server import Answer, RunningServer, running_server
from tests.support.stored import Stored, stored_in

BEFORE = build_conda("before")
CONDA = build_conda("alpha")
SHA256, SHA256_BEFORE = (hashlib.sha256(data).hexdigest() for data in (CONDA, BEFORE))
PATH = "/chan/noarch/alpha-1.0-0.conda"
DONE = Stored(
    blobs=frozenset({SHA256, SHA256_BEFORE}),
    artifacts=frozenset({SHA256, SHA256_BEFORE}),
    files=frozenset(
        {
            ("chan", "noarch", "before-1.0-0.conda", SHA256_BEFORE),
            ("chan", "noarch", "alpha-1.0-0.conda", SHA256),
        }
    ),
    actions=("file.add", "file.add"),
)

#: What an upload does, in order: of new bytes, of more than are kept in memory, and of such that are stored already.
#: The first is for the token.
KEPT = ("fsync", "rename", "fsync folder", "write catalog")
NEW = ("read catalog", "free bytes", "read catalog", "fsync folder", "create", "write", *KEPT)
LONG_ARRIVAL = ("read catalog", "free bytes", "create", "write", "write", "read catalog")
LONG = (*LONG_ARRIVAL, "fsync folder", *KEPT)
KNOWN = (*LONG_ARRIVAL, *KEPT)

ALL_STEPS = [(steps, number) for steps in (NEW, LONG) for number in range(len(steps))]


async def upload(server: RunningServer, channel: str = "chan") -> Answer:
    return await server.ask("PUT", f"/{channel}/noarch/alpha-1.0-0.conda", data=CONDA)


def arriving_as(steps: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the package count as a long one where the steps are those of a long one."""
    if steps != NEW:
        monkeypatch.setattr(ingest, "_CHUNK", 100)


@pytest.mark.parametrize("expected", [NEW, LONG, KNOWN], ids=["new", "long", "known"])
async def test_these_are_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: tuple[str, ...]
) -> None:
    arriving_as(expected, monkeypatch)
    disk = FaultyDisk()
    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        server.channel("other")
        if expected == KNOWN:
            await upload(server, "other")
        make_faulty(server.database, disk.steps)
        await server.ask("GET", PATH)  # what reading needs of the catalog is known then
        disk.steps.arm()
        assert (await upload(server)).status == 201

    assert tuple(disk.steps.taken) == expected


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed but persisted"])
@pytest.mark.parametrize(
    ("steps", "step"),
    ALL_STEPS,
    ids=[f"{'short' if steps == NEW else 'long'} {step} {steps[step]}" for steps, step in ALL_STEPS],
)
async def test_a_failed_step_of_an_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], step: int, *, persisted: bool
) -> None:
    arriving_as(steps, monkeypatch)
    disk = FaultyDisk()
    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        assert (await server.ask("PUT", "/chan/noarch/before-1.0-0.conda", data=BEFORE)).status == 201
        make_faulty(server.database, disk.steps)
        await server.ask("GET", PATH)

        disk.steps.arm(Fault(step, persisted))
        failed = await upload(server)
        disk.steps.disarm()

        assert disk.steps.failed == steps[step]
        assert failed.status == 503
        assert int(failed.headers["Retry-After"]) > 0
        after = stored_in(server.database, tmp_path / "data")
        assert_nothing_is_half_there(after)
        whole = steps[step] == "write catalog" and persisted
        assert (DONE.files <= after.files) is whole
        assert (await server.ask("GET", PATH)).status == (200 if whole else 404)

        again = await upload(server)
        assert again.status == (200 if whole else 201)
        assert stored_in(server.database, tmp_path / "data") == DONE
        assert (await server.ask("GET", PATH)).body == CONDA
        assert (await server.ask("GET", "/chan/noarch/before-1.0-0.conda")).body == BEFORE


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed but persisted"])
@pytest.mark.parametrize(
    "step", range(len(KNOWN)), ids=[f"{number} {name}" for number, name in enumerate(KNOWN)]
)
async def test_a_failed_step_of_an_upload_of_known_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, *, persisted: bool
) -> None:
    arriving_as(KNOWN, monkeypatch)
    disk = FaultyDisk()
    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        server.channel("other")
        assert (await upload(server, "other")).status == 201
        make_faulty(server.database, disk.steps)
        await server.ask("GET", PATH)

        disk.steps.arm(Fault(step, persisted))
        answer = await upload(server)
        disk.steps.disarm()

        assert disk.steps.failed == KNOWN[step]
        assert answer.status == 503
        after = stored_in(server.database, tmp_path / "data")
        assert after.blobs == after.artifacts == {SHA256}
        assert not after.unfinished
        assert (await server.ask("GET", "/other/noarch/alpha-1.0-0.conda")).body == CONDA

        assert (await upload(server)).status in (200, 201)
        assert (await server.ask("GET", PATH)).body == CONDA


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE"])
async def test_whatever_the_disk_says_it_is_503(tmp_path: Path, code: str) -> None:
    disk = FaultyDisk()
    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        make_faulty(server.database, disk.steps)
        await server.ask("GET", PATH)
        disk.steps.arm(Fault(NEW.index("fsync"), persisted=False, code=getattr(errno, code)))
        answer = await server.upload("alpha-1.0-0.conda", CONDA)
        full = code in ("ENOSPC", "EDQUOT")
        assert answer.problem == (503, "disk_full" if full else "disk_unavailable")
        assert answer.headers["Retry-After"] == ("60" if full else "5")
        assert stored_in(server.database, tmp_path / "data") == Stored()


async def test_many_uploads_into_trouble_and_out_of_it(tmp_path: Path) -> None:
    """Faults here and there, and clients that try again: in the end everything is there, once."""
    steps = Steps()
    disk = FaultyDisk(steps)
    packages = {f"p{number}-1.0-0.conda": build_conda(f"p{number}") for number in range(24)}

    async with running_server(tmp_path, indexing=False, disk=disk) as server:
        server.channel()
        make_faulty(server.database, steps)

        async def send(filename: str, data: bytes) -> list[int]:
            statuses: list[int] = []
            while not statuses or statuses[-1] == 503:
                answer = await server.ask("PUT", f"/chan/noarch/{filename}", data=data)
                statuses.append(answer.status)
            return statuses

        async def trouble() -> None:
            for number in range(200):
                steps.arm(Fault(number % 13, persisted=number % 2 == 0))
                await asyncio.sleep(0.003)
            steps.disarm()

        tasks = [send(filename, data) for filename, data in packages.items()]
        *outcomes, _ = await asyncio.gather(*tasks, trouble())
        after = stored_in(server.database, tmp_path / "data")

    assert any(len(statuses) > 1 for statuses in outcomes if statuses)
    hashes = {hashlib.sha256(data).hexdigest() for data in packages.values()}
    assert after.artifacts == hashes
    assert hashes == after.blobs
    assert {file[2] for file in after.files} == set(packages)
    assert len(after.actions) == len(packages)


def assert_nothing_is_half_there(after: Stored) -> None:
    """Every row has its bytes, and no temporary file is left."""
    assert after.artifacts <= after.blobs
    assert {file[3] for file in after.files} == after.artifacts
    assert after.unfinished == frozenset()
