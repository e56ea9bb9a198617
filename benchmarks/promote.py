"""Promotions over HTTP by conda-forge's own protocol: how many a second, and how soon what is copied is in repodata.

Requests name 1, 10 or 100 files of 60 KB each, one after the other (which tells how long one takes) and many at once
(which tells how many there can be: what comes together is published together). Production has many records. An answer
comes once what it is about is published; beside it, somebody watches the shard index for each name. The same by hand,
where no scrypt is computed, shows what that costs.

Then the time of a 304 is taken while nothing happens, and during a storm of requests with wrong tokens, all of which
are verified: the limits on failures are off.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import Connection

from benchmarks.measure import Spread, cpu_seconds, machine, parser, positive, say
from benchmarks.packagefolder import package
from benchmarks.servers import CHANNEL, Server, channeld, make_token, open_folder
from benchmarks.synthesis import SUBDIR, data_folder, fill, packages
from benchmarks.uploader import Client, LiveWatch
from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.formats.names import FileName
from channeld.indexing.documents.shards import read_index
from channeld.instance import Instance
from channeld.intake.ingest import Upload
from channeld.promotion.feedstocktokens import RANDOM_BYTES, new_token

STAGING: Final = f"{CHANNEL}-staging"
FEEDSTOCK: Final = "promote"
SIZES: Final = (1, 10, 100)
AT_ONCE: Final = 16
_FILE_BYTES: Final = 60_000
_POLL_SECONDS: Final = 0.01
_PAUSE_SECONDS: Final = 0.002
_STORM: Final = 8  # requests at once
_OFF: Final = {
    "CHANNELD_PROMOTION__TOKEN_FAILURES_BY_ADDRESS_PER_MINUTE": "0",
    "CHANNELD_PROMOTION__TOKEN_FAILURES_BY_FEEDSTOCK_PER_MINUTE": "0",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """One file on staging."""

    name: str
    sha256: str

    @property
    def key(self) -> str:
        return f"{SUBDIR}/{self.name}-1.0-0.conda"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data folder with everything on staging, and how to ask for it."""

    token: str
    admin: str
    staged: list[Staged]


@dataclass(frozen=True, slots=True)
class Round:
    """What promoting some files came to, by requests of one size."""

    size: int
    #: Files a second, and for each request the seconds until its answer and until all of it was seen live.
    rate: float
    answers: Spread
    live: Spread
    #: Processor time of the server for each request, ms, publishing included.
    cpu: float


def main() -> None:
    """Measure; the last line has the rates and the ratio of the 304s."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=positive, help="in production beforehand; 50,000 by default")
    arguments.add_argument("--at-once", type=positive, default=AT_ONCE, help="requests; 16 by default")
    options = arguments.parse_args()
    records = options.records or (5_000 if options.small else 50_000)
    requests = {1: 32, 10: 8, 100: 2} if options.small else {1: 160, 10: 32, 100: 8}
    seconds = 4.0 if options.small else 20.0
    data_folder()
    say(machine())
    os.environ.update(_OFF)
    with tempfile.TemporaryDirectory(prefix="channeld-promote-") as folder:
        count = 3 * sum(size * number for size, number in requests.items())
        prepared = _prepare(Path(folder) / "data", records, count)
        say(
            f"{count:,} files on staging, {records:,} records in production, {options.at_once} requests at once"
        )
        with channeld(Path(folder) / "data") as server:
            waiting = iter(prepared.staged)
            parts = []
            for size, number in requests.items():
                measured = []
                for ask, at_once in (
                    (_of_feedstock, 1),
                    (_of_feedstock, options.at_once),
                    (_by_hand, options.at_once),
                ):
                    sets = [[next(waiting) for _ in range(size)] for _ in range(number)]
                    measured.append(asyncio.run(_promote(server, ask(prepared, sets), at_once)))
                parts.append(_told(size, *measured))
            parts.append(_storm(server, seconds))
    say("; ".join(parts))


def _prepare(folder: Path, records: int, count: int) -> Prepared:
    folder.mkdir()
    instance = open_folder(folder)
    try:
        fill(instance.database, CHANNEL, packages(data_folder(), records))
        instance.publisher.publish_all()
        names = [f"promote-{number:05d}" for number in range(count)]
        actor = Actor("benchmark", "local", instance.clock.now_ms())
        token = new_token(secrets.token_bytes(RANDOM_BYTES))

        def work(connection: Connection) -> None:
            settings = ChannelSettings(kind="staging", subdirs=(SUBDIR,), promotes_to=CHANNEL)
            channels.create(connection, STAGING, settings, actor)
            feedstock, _ = feedstocks.register(connection, CHANNEL, FEEDSTOCK, actor)
            channel = channels.lock(connection, [CHANNEL])[CHANNEL]
            outputs.register_each(connection, channel, [(name, feedstock) for name in names], actor)
            row = {"feedstock_id": feedstock.id, "salt": token.row.salt, "digest": token.row.digest}
            values = {**row, "created_ms": actor.now_ms, "created_by": actor.id}
            connection.execute(t.feedstock_tokens.insert().values(**values))

        instance.database.write_now(work)
        staged = asyncio.run(_stage(instance, names, actor))
        instance.publisher.publish_all()
        return Prepared(token.text, make_token(instance), staged)
    finally:
        instance.close()


async def _stage(instance: Instance, names: Sequence[str], actor: Actor) -> list[Staged]:
    """Upload the files to staging, without HTTP."""
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(_package, names, chunksize=50))
    staged = []
    for name, data in zip(names, made, strict=True):
        filename = FileName.parse(f"{name}-1.0-0.conda")
        upload = Upload(STAGING, str(filename), ("main",), actor)
        added = await instance.intake.ingest(upload, _chunks(data))
        staged.append(Staged(name, added.file.sha256))
    return staged


def _package(name: str) -> bytes:
    record = {
        "build": "0", "build_number": 0, "depends": ["python >=3.10"], "license": "MIT", "name": name,
        "subdir": SUBDIR, "version": "1.0",
    }  # fmt: skip
    return package(record, _FILE_BYTES)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests of one sort: how they are sent, and the files of each."""

    path: str
    headers: dict[str, str]
    bodies: list[bytes]
    sets: Sequence[Sequence[Staged]]


def _of_feedstock(prepared: Prepared, sets: Sequence[Sequence[Staged]]) -> Batch:
    """Ask in the feedstock's name."""
    headers = {"FEEDSTOCK_TOKEN": prepared.token, "Content-Type": "application/json"}
    asked = {"feedstock": f"{FEEDSTOCK}-feedstock", "channel": "main", "hash_type": "sha256"}
    bodies = [orjson.dumps({**asked, "outputs": {one.key: one.sha256 for one in files}}) for files in sets]
    return Batch("/feedstock-outputs/copy", headers, bodies, sets)


def _by_hand(prepared: Prepared, sets: Sequence[Sequence[Staged]]) -> Batch:
    """Ask with a token of the server."""
    headers = {"Authorization": f"Bearer {prepared.admin}", "Content-Type": "application/json"}
    bodies = [orjson.dumps({"outputs": {one.key: one.sha256 for one in files}}) for files in sets]
    return Batch(f"/api/v1/channels/{CHANNEL}/copies", headers, bodies, sets)


async def _promote(server: Server, batch: Batch, at_once: int) -> Round:
    shards = f"/{CHANNEL}/{SUBDIR}/repodata_shards.msgpack.zst"
    sets = batch.sets
    watch = LiveWatch(Client(server, {}), shards, lambda data: set(read_index(data)))
    watch.wanted = {one.name for files in sets for one in files}
    watching = asyncio.create_task(watch.run(_POLL_SECONDS))
    waiting = iter(zip(batch.bodies, sets, strict=True))
    answered: list[tuple[float, float, Sequence[Staged]]] = []

    async def work() -> None:
        client = Client(server, batch.headers)
        for body, files in waiting:
            begun = time.perf_counter()
            answer = await client.request("POST", batch.path, body)
            if answer.status not in (200, 201):
                raise SystemExit(f"A promotion was answered with {answer.status}: {answer.body.decode()}")
            answered.append((begun, answer.seconds, files))
        await client.close()

    started, before = time.perf_counter(), cpu_seconds(server.process)
    await asyncio.gather(*(work() for _ in range(at_once)))
    lasted = time.perf_counter() - started
    with suppress(TimeoutError):
        await asyncio.wait_for(watching, 30)
    cpu = 1000 * (cpu_seconds(server.process) - before) / len(sets)
    live = [max(watch.seen[one.name] for one in files) - begun for begun, _, files in answered]
    return Round(
        len(sets[0]),
        sum(map(len, sets)) / lasted,
        Spread(tuple(1000 * seconds for _, seconds, _ in answered)),
        Spread(tuple(1000 * seconds for seconds in live)),
        cpu,
    )


def _told(size: int, alone: Round, together: Round, by_hand: Round) -> str:
    """Print what requests of one size came to; returns the short of it."""
    say(f"\n{size} files a request:")
    for name, measured in (("one by one", alone), ("at once", together), ("at once, by hand", by_hand)):
        say(
            f"  {name:16} {measured.rate:6,.0f} files/s, {measured.rate / size:5,.1f} requests/s, "
            f"{measured.cpu:,.0f} ms of CPU each"
        )
        say(f"    request to answer: {measured.answers.shown('ms')}")
        say(f"    request to live:   {measured.live.shown('ms')}")
    return (
        f"{size} a request: live after {alone.live.median:,.0f} ms, {together.rate:,.0f} files/s "
        f"({by_hand.rate:,.0f} by hand)"
    )


def _storm(server: Server, seconds: float) -> str:
    """Take the time of 304s, idle and while tokens are verified without a pause."""
    time.sleep(1.0)
    idle, _ = asyncio.run(_not_modified(server, seconds, 0))
    before = cpu_seconds(server.process)
    stormy, checks = asyncio.run(_not_modified(server, seconds, _STORM))
    busy = (cpu_seconds(server.process) - before) / seconds
    say(
        f"\na 304 of repodata.json.zst, asked for every {_PAUSE_SECONDS * 1000:.0f} ms, for {seconds:.0f} s each:"
    )
    for name, measured in (("idle", idle), ("in the storm", stormy)):
        p50, p99, most = (measured.percentile(percent) for percent in (50, 99, 100))
        say(
            f"  {name:12} p50 {p50:6.2f} ms, p99 {p99:6.2f} ms, most {most:6.2f} ms, {len(measured.values):,} times"
        )
    say(f"  the storm: {checks / seconds:.1f} wrong tokens/s refused, {busy:.2f} cores of the server")
    ratio = stormy.percentile(99) / idle.percentile(99)
    return (
        f"p99 of a 304: {idle.percentile(99):.2f} ms idle, {stormy.percentile(99):.2f} ms in a storm of scrypt, "
        f"{ratio:.1f} times"
    )


async def _not_modified(server: Server, seconds: float, storm: int) -> tuple[Spread, int]:
    """Return the milliseconds of the 304s, and how many requests of the storm were answered meanwhile."""
    path = f"/{CHANNEL}/{SUBDIR}/repodata.json.zst"
    etag = server.get(path)[1]["etag"]
    until = time.perf_counter() + seconds
    answered = 0

    async def rage() -> None:
        nonlocal answered
        client = Client(server, {"FEEDSTOCK_TOKEN": "0" * 64, "Content-Type": "application/json"})
        body = orjson.dumps({"feedstock": "nobody-feedstock", "outputs": {}, "channel": "main"})
        while time.perf_counter() < until:
            answer = await client.request("POST", "/feedstock-outputs/copy", body)
            assert answer.status in (400, 503), answer.body
            answered += answer.status == 400
        await client.close()

    raging = [asyncio.create_task(rage()) for _ in range(storm)]
    client, times = Client(server, {"If-None-Match": etag}), []
    while time.perf_counter() < until:
        answer = await client.request("GET", path)
        assert answer.status == 304, answer.status
        times.append(1000 * answer.seconds)
        await asyncio.sleep(_PAUSE_SECONDS)
    await client.close()
    await asyncio.gather(*raging)
    return Spread(tuple(times)), answered


if __name__ == "__main__":
    main()
