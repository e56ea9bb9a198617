"""Uploads over HTTP to a real server with SQLite: many small ones, eight at once, and one large one.

Small: how many are accepted in a second, how long each waits for its 201, and from there until the index lists it.
Beside it stands a floor in the same run: eight threads that hash the same packages and make each durable as a file.
Large: bytes a second and the memory of the server, beside the hashing of the same bytes and a plain write of them.
``--quetz FOLDER`` sends the small ones to quetz-server too, in an environment made in FOLDER.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import quetz
from benchmarks.measure import (
    MIB,
    Spread,
    cpu_seconds,
    forget_peak,
    machine,
    parser,
    peak_bytes,
    positive,
    resident_bytes,
    say,
    seconds,
)
from benchmarks.packagefolder import package
from benchmarks.servers import CHANNEL, Server, channeld, make_channel, make_token, open_folder
from benchmarks.uploader import Answer, Client, LiveWatch
from channeld.blobs.durable import Disk, write_file
from channeld.indexing.documents.shards import read_index

SUBDIR: Final = "noarch"
AT_ONCE: Final = 8
_SIZE: Final = 60_000
_GOAL: Final = 300
_POLL_SECONDS: Final = 0.02
_LIVE_PATIENCE_SECONDS: Final = 120.0
#: Bytes of a zstd block, at most.
_BLOCK: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class Small:
    """One package to upload."""

    name: str
    data: bytes

    @property
    def filename(self) -> str:
        return f"{self.name}-1.0-0.conda"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of it."""

    name: str
    answer: Answer
    #: When the answer had come, on the performance counter.
    at: float


def main() -> None:
    """Measure, and print the ratios on the last line."""
    arguments = parser(__doc__)
    arguments.add_argument("--packages", type=positive, help="small packages; 3,000 by default")
    arguments.add_argument("--large", type=positive, help="bytes of the large package; 10^9 by default")
    arguments.add_argument("--quetz", type=Path, metavar="FOLDER", help="upload to quetz-server too")
    arguments.add_argument("--rounds", type=positive, default=3, help="of the large package; 3 by default")
    options = arguments.parse_args()
    count = options.packages or (400 if options.small else 3_000)
    size = options.large or (10**8 if options.small else 10**9)
    say(machine())
    with tempfile.TemporaryDirectory(prefix="channeld-upload-") as folder:
        root = Path(folder)
        taken, smalls = seconds(lambda: _make_smalls(count))
        say(f"{count:,} packages of about {_SIZE:,} bytes were made in {taken:.0f} s")
        token = _prepare(root / "data")
        with channeld(root / "data") as server:
            result = _many(server, smalls, token)
        floor = _floor(smalls, root / "floor")
        say(f"  floor: {floor:,.0f} packages/s hashed and made durable by {AT_ONCE} threads, without HTTP")
        parts = [
            f"{result:,.0f} uploads/s, {result / floor:.2f} of the floor, {result / _GOAL:.2f} of the goal"
        ]
        if options.quetz:
            parts.append(
                quetz.uploads(options.quetz, root / "quetz", [(s.filename, s.data) for s in smalls[:300]])
            )
        smalls.clear()
        with channeld(root / "data") as server:
            parts.append(_large(server, root, size, token, options.rounds))
    say("; ".join(parts))


def _make_smalls(count: int) -> list[Small]:
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_make_small, range(count), chunksize=50))


def _make_small(number: int) -> Small:
    name = f"upload-{number:06d}"
    return Small(
        name, package(_record(name) | {"depends": ["python >=3.10", f"upload-{number // 2:06d}"]}, _SIZE)
    )


def _record(name: str) -> dict[str, Any]:
    return {
        "build": "0", "build_number": 0, "depends": [], "license": "MIT", "name": name, "noarch": "generic",
        "subdir": SUBDIR, "version": "1.0",
    }  # fmt: skip


def _prepare(folder: Path) -> str:
    folder.mkdir()
    instance = open_folder(folder)
    try:
        make_channel(instance, [SUBDIR])
        return make_token(instance)
    finally:
        instance.close()


def _many(server: Server, smalls: Sequence[Small], token: str) -> float:
    """Upload all small packages; returns how many were accepted a second."""
    idle = resident_bytes(server.process)
    before = cpu_seconds(server.process)
    taken, (sent, live) = seconds(lambda: asyncio.run(_upload_all(server, smalls, token)))
    spent = cpu_seconds(server.process) - before
    accepted = [one for one in sent if one.answer.status == 201]
    lasted = max(one.at for one in sent) - min(one.at - one.answer.seconds for one in sent)
    waits = Spread(tuple(one.answer.seconds * 1000 for one in accepted))
    to_live = Spread(tuple((live[one.name] - one.at) * 1000 for one in accepted if one.name in live))
    say(f"\n{len(smalls):,} uploads, {AT_ONCE} at once, in {lasted:.1f} s ({taken:.1f} s until all was live)")
    say(
        f"  accepted {len(accepted):,}, {len(accepted) / lasted:,.0f} a second; other answers: {_others(sent)}"
    )
    say(f"  until 201: {waits.shown('ms', 1)}, p99 {waits.percentile(99):,.1f} ms")
    say(
        f"  201 to live: {to_live.shown('ms', 1)}, p99 {to_live.percentile(99):,.1f} ms "
        f"(looked for every {_POLL_SECONDS * 1000:.0f} ms); never seen: {len(accepted) - len(to_live.values)}"
    )
    say(
        f"  the server: {spent / len(smalls) * 1000:.2f} ms of CPU an upload, rendering included; "
        f"{(peak_bytes(server.process) - idle) / MIB:,.0f} MiB over idle at most"
    )
    return len(accepted) / lasted


def _others(sent: Sequence[Sent]) -> str:
    counts = Counter(one.answer.status for one in sent if one.answer.status != 201)
    return ", ".join(f"{status}: {number}" for status, number in sorted(counts.items())) or "none"


async def _upload_all(
    server: Server, smalls: Sequence[Small], token: str
) -> tuple[list[Sent], dict[str, float]]:
    path = f"/{CHANNEL}/{SUBDIR}/repodata_shards.msgpack.zst"
    watch = LiveWatch(Client(server, {}), path, lambda data: set(read_index(data)))
    watching = asyncio.create_task(watch.run(_POLL_SECONDS))
    waiting = iter(smalls)
    sent: list[Sent] = []

    async def work() -> None:
        client = Client(server, {"Authorization": f"Bearer {token}"})
        for small in waiting:
            answer = await client.request("PUT", f"/{CHANNEL}/{SUBDIR}/{small.filename}", small.data)
            sent.append(Sent(small.name, answer, time.perf_counter()))
        await client.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    watch.wanted = {one.name for one in sent if one.answer.status == 201}
    with suppress(TimeoutError):
        await asyncio.wait_for(watching, _LIVE_PATIENCE_SECONDS)
    return sent, watch.seen


def _floor(smalls: Sequence[Small], folder: Path) -> float:
    """Hash the packages and make them durable, as many at once, and do nothing else; returns how many a second."""
    disk = Disk()

    def keep(small: Small) -> None:
        digest = hashlib.sha256(small.data).hexdigest()
        hashlib.md5(small.data).hexdigest()
        write_file(disk, folder / digest[:2] / digest, small.data)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        taken, _ = seconds(lambda: list(threads.map(keep, smalls)))
    return len(smalls) / taken


def _make_large(folder: Path, number: int, size: int) -> Path:
    """Write a package with a payload of a size: noise in blocks that are not compressed."""
    path = folder / f"large-{number}.0-0.conda"
    archive = io.BytesIO(package(_record("large") | {"version": f"{number}.0"}, 1))
    noise = os.urandom(2 * _BLOCK)
    with zipfile.ZipFile(archive) as parts, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as made:
        for entry in parts.infolist():
            if entry.filename.startswith("pkg-"):
                with made.open(zipfile.ZipInfo(entry.filename), "w", force_zip64=True) as out:
                    out.writelines(_raw_frame(noise, size))
            else:
                made.writestr(zipfile.ZipInfo(entry.filename), parts.read(entry))
    return path


def _raw_frame(noise: bytes, size: int) -> Iterator[bytes]:
    """Yield one zstd frame of uncompressed blocks, with a window of 1 MiB (RFC 8878, 3.1.1)."""
    yield b"\x28\xb5\x2f\xfd\x00\x50"
    for number in range(-(-size // _BLOCK)):
        start = number * 1021 % _BLOCK
        yield (_BLOCK << 3).to_bytes(3, "little") + noise[start : start + _BLOCK]
    yield b"\x01\x00\x00"


def _large(server: Server, folder: Path, size: int, token: str, rounds: int) -> str:
    """Upload a large package some times, another one each time; returns the ratios."""
    found = []
    for number in range(rounds):
        path = _make_large(folder, number, size)
        found.append(_upload_large(server, path, token))
        path.unlink()
    upload, hashing, writing, memory = (Spread(tuple(each)) for each in zip(*found, strict=True))
    say(f"\none package of {size:,} bytes, {rounds} times")
    say(f"  upload, request to 201:         {upload.shown('MB/s')}")
    say(f"  sha256 and md5 of the file:     {hashing.shown('MB/s')}")
    say(f"  plain copy of it, with fsync:   {writing.shown('MB/s')}")
    say(f"  memory of the server over idle: {memory.shown('MiB', 1)}")
    return (
        f"{size / 1e6:,.0f} MB at {upload.median:,.0f} MB/s, {upload.median / hashing.median:.2f} of hashing, "
        f"{upload.median / writing.median:.2f} of writing, {max(memory.values):.0f} MiB over idle"
    )


def _upload_large(server: Server, path: Path, token: str) -> tuple[float, float, float, float]:
    """Upload one file; returns MB/s of that, of hashing, of copying, and the server's memory over idle in MiB."""
    size = path.stat().st_size
    idle = resident_bytes(server.process)
    forget_peak(server.process)
    answer = asyncio.run(_put(server, path, token))
    if answer.status != 201:
        sys.exit(f"The large package was answered with {answer.status}: {answer.body.decode()}")
    over = peak_bytes(server.process) - idle
    hashing, writing = (seconds(partial(work, path))[0] for work in (_hash, _copy))
    return size / answer.seconds / 1e6, size / hashing / 1e6, size / writing / 1e6, over / MIB


async def _put(server: Server, path: Path, token: str) -> Answer:
    client = Client(server, {"Authorization": f"Bearer {token}"})
    try:
        return await client.request("PUT", f"/{CHANNEL}/{SUBDIR}/{path.name}", path)
    finally:
        await client.close()


def _hash(path: Path) -> None:
    sha256, md5 = hashlib.sha256(), hashlib.md5()
    with path.open("rb") as file:
        while chunk := file.read(MIB):
            sha256.update(chunk)
            md5.update(chunk)


def _copy(path: Path) -> None:
    target = path.with_suffix(".copy")
    with path.open("rb") as file, target.open("wb") as copy:
        while chunk := file.read(MIB):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    target.unlink()


if __name__ == "__main__":
    main()
