"""Uploads at a steady rate, whatever the answers take: how long until each is live, with everything going on at once?

Each is the next version of another package, drawn from the whole channel; so its shard changes, and the shard index
tells when. One client asks for that every five milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from benchmarks.measure import (
    MIB,
    Spread,
    cpu_seconds,
    forget_peak,
    peak_bytes,
    say,
    stolen_seconds,
    written_bytes,
)
from benchmarks.onebyone import metric
from benchmarks.packagefolder import package as archive
from benchmarks.servers import CHANNEL, Server
from benchmarks.synthesis import SUBDIR, Package
from benchmarks.uploader import Client, LiveWatch
from channeld.indexing.documents.shards import read_index

#: Uploads a second.
RATE: Final = 20
_POLL_SECONDS: Final = 0.005
_PATIENCE_SECONDS: Final = 30.0
_BASE: Final = f"/{CHANNEL}/{SUBDIR}"
_INDEX: Final = f"{_BASE}/repodata_shards.msgpack.zst"


@dataclass(frozen=True, slots=True)
class Sent:
    """One upload: when its turn was, when it was sent and when its answer had come, on the performance counter."""

    name: str
    due: float
    sent: float
    answered: float
    status: int


@dataclass(frozen=True, slots=True)
class Sustained:
    """What uploading at a steady rate came to; times in milliseconds."""

    uploads: int
    seconds: float
    #: Status other than 201 → how many.
    refused: dict[int, int]
    unseen: int
    late: Spread
    to_answer: Spread
    answer_to_live: Spread
    publications: int
    #: From the start of a publication to its flip, in the mean.
    rendering: float
    #: Processor time of the server, in cores.
    cores: float
    #: What others took of the machine's, in cores.
    stolen: float
    pack_bytes: float
    written_bytes: float
    peak: int


def measure(server: Server, token: str, packages: Sequence[Package]) -> Sustained:
    """Upload packages of different names that are there in other versions, ``RATE`` a second."""
    bodies = [(one.record["name"], one.filename, archive(one.record)) for one in packages]
    forget_peak(server.process)
    before, cpu, written = _metrics(server), cpu_seconds(server.process), written_bytes(server.process)
    begun, stolen = time.perf_counter(), stolen_seconds()
    sent, live = asyncio.run(_run(server, token, bodies))
    lasted = time.perf_counter() - begun
    accepted = [one for one in sent if one.status == 201]
    published, spent, packed = (one - other for one, other in zip(_metrics(server), before, strict=True))
    return Sustained(
        uploads=len(sent),
        seconds=max(one.sent for one in sent) - begun,
        refused=dict(Counter(one.status for one in sent if one.status != 201)),
        unseen=sum(one.name not in live for one in accepted),
        late=Spread(tuple(1000 * (one.sent - one.due) for one in sent)),
        to_answer=Spread(tuple(1000 * (one.answered - one.sent) for one in accepted)),
        answer_to_live=Spread(
            tuple(1000 * (live[one.name] - one.answered) for one in accepted if one.name in live)
        ),
        publications=round(published),
        rendering=1000 * spent / published,
        cores=(cpu_seconds(server.process) - cpu) / lasted,
        stolen=(stolen_seconds() - stolen) / lasted,
        pack_bytes=packed,
        written_bytes=written_bytes(server.process) - written,
        peak=peak_bytes(server.process),
    )


def _metrics(server: Server) -> tuple[float, float, float]:
    """Return how many publications there were, the seconds that they took, and the bytes that they put into packs."""
    text = server.get("/metrics")[2].decode()
    names = ("publications_total", "publish_seconds_sum", "pack_bytes_total")
    count, spent, packed = (metric(text, f"channeld_{name}") for name in names)
    return count, spent, packed


async def _run(
    server: Server, token: str, bodies: Sequence[tuple[str, str, bytes]]
) -> tuple[list[Sent], dict[str, float]]:
    first = read_index(await _once(server, _INDEX))

    def changed(data: bytes) -> set[str]:
        return {name for name, digest in read_index(data).items() if first.get(name) != digest}

    watch = LiveWatch(Client(server, {}), _INDEX, changed)
    watching = asyncio.create_task(watch.run(_POLL_SECONDS))
    idle: list[Client] = []

    async def upload(due: float, name: str, filename: str, body: bytes) -> Sent:
        client = idle.pop() if idle else Client(server, {"Authorization": f"Bearer {token}"})
        sent = time.perf_counter()
        answer = await client.request("PUT", f"{_BASE}/{filename}", body)
        answered = time.perf_counter()
        idle.append(client)
        return Sent(name, due, sent, answered, answer.status)

    start = time.perf_counter() + 0.1
    under_way = []
    for number, one in enumerate(bodies):
        due = start + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        under_way.append(asyncio.create_task(upload(due, *one)))
    sent = await asyncio.gather(*under_way)
    watch.wanted = {one.name for one in sent if one.status == 201}
    with suppress(TimeoutError):
        await asyncio.wait_for(watching, _PATIENCE_SECONDS)
    for client in idle:
        await client.close()
    return sent, watch.seen


async def _once(server: Server, path: str) -> bytes:
    client = Client(server, {})
    answer = await client.request("GET", path)
    await client.close()
    return answer.body


def report(found: Sustained, records: int) -> None:
    """Print what was measured."""
    say(
        f"\n{RATE} uploads a second for {found.seconds:.0f} s, {found.uploads:,} of them, into {records:,} records:"
    )
    refused = ", ".join(f"{status}: {count}" for status, count in sorted(found.refused.items())) or "none"
    say(f"  other answers than 201: {refused}; never seen live: {found.unseen}")
    for name, spread in (
        ("sent too late by", found.late),
        ("request to 201", found.to_answer),
        ("201 to live", found.answer_to_live),
    ):
        p50, p99, most = (spread.percentile(percent) for percent in (50, 99, 100))
        say(
            f"  {name:28} min {min(spread.values):,.1f} / p50 {p50:,.1f} / p99 {p99:,.1f} / max {most:,.1f} ms"
        )
    say(
        f"  {found.publications:,} publications, of {found.uploads / found.publications:.1f} uploads "
        f"and {found.rendering:,.0f} ms each in the mean, start to flip"
    )
    say(
        f"  the server: {found.cores:.2f} cores, {found.pack_bytes / MIB:,.1f} MiB written to packs, "
        f"{found.written_bytes / MIB:,.0f} MiB in all, peak RSS {found.peak / MIB:.0f} MiB; "
        f"others took {found.stolen:.2f} cores"
    )
