"""Rule: what comes into production is read, hashed and validated again; the hash is of the very bytes judged."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import BinaryIO

import pytest

from channeld.blobs.local import Digests, LocalBlobs
from channeld.catalog import channels
from channeld.catalog.copies import Pin
from channeld.catalog.files import Artifact
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from channeld.intake.ingest import Upload
from channeld.intake.inspection import inspect
from channeld.promotion import checking
from channeld.promotion.checking import Checker
from tests.support.clock import ManualClock
from tests.support.packages import build_conda, build_tar_bz2
from tests.support.promotion import PRODUCTION, STAGING, Bench, Build, errors

ALPHA = Build("alpha")
NOISE = {"share/noise": random.Random(17).randbytes(40_000)}


def examine(file: BinaryIO, filename: FileName, digests: Digests, naming: Naming) -> Artifact:
    now_ms = ManualClock().now_ms()
    return inspect(file, filename, digests, naming=naming, limits=Limits(), now_ms=now_ms)


def stored(blobs: LocalBlobs, filename: str, data: bytes, subdir: str = "noarch") -> Pin:
    """Store a package and pin it."""
    incoming = blobs.receive()
    incoming.write(data)
    digests = incoming.keep()
    return Pin(subdir, filename, 1, digests.sha256, digests.md5, digests.size)


@pytest.fixture
def blobs(stage: Bench) -> LocalBlobs:
    return stage.instance.blobs


PACKAGES: dict[str, Callable[[], bytes]] = {
    "alpha-1.0-0.conda": lambda: build_conda("alpha", files=NOISE),
    "alpha-1.0-0.tar.bz2": lambda: build_tar_bz2("alpha", files=NOISE),
}


@pytest.mark.parametrize("filename", PACKAGES)
@pytest.mark.parametrize("whole", [True, False], ids=["in memory", "block by block"])
def test_large_and_small_files_are_judged_alike(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch, filename: str, *, whole: bool
) -> None:
    monkeypatch.setattr(checking, "BLOCK_BYTES", 1000)
    checker = Checker(blobs, examine, 1 << 30 if whole else 0)
    beats: list[None] = []
    data = PACKAGES[filename]()
    pin = stored(blobs, filename, data)
    assert checker.problem_of(pin, Naming.STRICT, lambda: beats.append(None)) == ""
    assert len(beats) == (1 if whole else -(-len(data) // 1000))

    elsewhere = replace(pin, subdir="linux-64")
    assert checker.problem_of(elsewhere, Naming.STRICT, lambda: None) == "says that it belongs to noarch"
    path = blobs.path(pin.sha256)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert checker.problem_of(pin, Naming.STRICT, lambda: None).startswith(
        "has changed in the store (sha256 "
    )
    path.write_bytes(data[:-1])
    assert checker.problem_of(pin, Naming.STRICT, lambda: None).startswith(
        "has changed in the store (sha256 "
    )
    path.unlink()
    problem = checker.problem_of(pin, Naming.STRICT, lambda: None)
    assert problem == f"has lost its stored bytes (sha256 {pin.sha256})"


@pytest.mark.parametrize("filename", PACKAGES)
def test_bytes_that_change_after_they_were_hashed_are_noticed(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch, filename: str
) -> None:
    monkeypatch.setattr(checking, "BLOCK_BYTES", 1000)
    data = PACKAGES[filename]()
    pin = stored(blobs, filename, data)

    def changing(file: BinaryIO, name: FileName, digests: Digests, naming: Naming) -> Artifact:
        # everything has been hashed by now; what is read from here on is another package
        blobs.path(pin.sha256).write_bytes(data.replace(data[-500:], bytes(500)))
        return examine(file, name, digests, naming)

    checker = Checker(blobs, changing, 0)
    problem = checker.problem_of(pin, Naming.STRICT, lambda: None)
    assert problem == "has stored bytes that change while they are read"


def test_a_block_file_reads_like_any_other(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "BLOCK_BYTES", 7)
    data = bytes(range(100))
    pin = stored(blobs, "x", data)
    seen: list[bytes] = []

    def look(file: BinaryIO, _name: FileName, digests: Digests, _naming: Naming) -> Artifact:
        assert file.seek(0, io.SEEK_END) == len(data)
        for start, size in ((0, 100), (0, 200), (6, 2), (93, 20), (100, 1), (13, 0), (95, -1)):
            file.seek(start)
            seen.append(file.read(size))
        file.seek(-3, io.SEEK_END)
        seen.append(file.read())
        assert digests == Digests(pin.sha256, pin.md5, pin.size)
        raise AssertionError("looked")

    with pytest.raises(AssertionError, match="looked"):
        Checker(blobs, look, 0).problem_of(replace(pin, filename="x-1-0.conda"), Naming.STRICT, lambda: None)
    assert seen == [data, data, data[6:8], data[93:], b"", b"", data[95:], data[97:]]


def test_staging_may_take_what_production_does_not(stage: Bench) -> None:
    """The archive is judged by the rules of the channel that gets it."""
    stage.instance.database.write_now(
        lambda c: channels.configure(c, STAGING, {"legacy": "allow"}, stage.actor())
    )
    old = replace(ALPHA, version="1.0_b")
    data = build_conda("alpha", "1.0_b", info={"paths.json": None})
    upload_bytes(stage, old, data)
    outputs = {old.key: hashlib.sha256(data).hexdigest()}
    refused = stage.copy(stage.asked(outputs=outputs))
    assert refused.state == "refused"
    assert errors(refused)[0].startswith(f"output {old.key} does not pass validation: ")
    assert stage.holds(PRODUCTION) == {}
    stage.instance.database.write_now(
        lambda c: channels.configure(c, PRODUCTION, {"legacy": "allow"}, stage.actor())
    )
    assert stage.copy(stage.asked(outputs=outputs)).state == "done"


def upload_bytes(stage: Bench, build: Build, data: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    upload = Upload(STAGING, build.filename, ("main",), stage.actor(), Naming.LEGACY)
    asyncio.run(stage.instance.intake.ingest(upload, chunks()))
