"""One change at a time over HTTP, on a server that runs: how long until a client sees it?

A client asks for repodata.json.zst by HEAD and its ETag, every two milliseconds and on a connection of its own, until
it is another one. That the new generation has the change and nothing else is asked about it is made sure afterwards,
in the shard of the package.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Final

import orjson

from benchmarks.kinds import Kind, Plan
from benchmarks.measure import MIB, Spread, forget_peak, peak_bytes, say, written_bytes
from benchmarks.packagefolder import package as archive
from benchmarks.servers import CHANNEL, Server
from benchmarks.synthesis import SUBDIR, Package
from benchmarks.uploader import Answer, Client
from channeld.catalog.labels import BROKEN
from channeld.formats.shard import decode_shard
from channeld.indexing.documents.shards import read_index
from channeld.indexing.publisher import CALM_AFTER

_POLL_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 30.0
#: Between a change that is live and the next one. One that comes sooner waits for the pause by which a server leaves
#: most of the processor to uploads, while there are many: that is what ``sustained`` measures.
_PAUSE_SECONDS: Final = 2 * CALM_AFTER
_BASE: Final = f"/{CHANNEL}/{SUBDIR}"
_API: Final = f"/api/v1/channels/{CHANNEL}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One change as its client saw it, in milliseconds, and what it had the server write, in bytes."""

    to_answer: float
    answer_to_live: float
    pack_bytes: float
    written_bytes: float

    @property
    def to_live(self) -> float:
        """From the first byte of the request."""
        return self.to_answer + self.answer_to_live


@dataclass(frozen=True, slots=True)
class Watched:
    """The changes of one kind, and the most memory that the server had meanwhile."""

    kind: Kind
    seen: tuple[Seen, ...]
    peak: int

    @property
    def accepted_to_live(self) -> Spread:
        """Milliseconds from the answer to the generation that shows the change."""
        return Spread(tuple(one.answer_to_live for one in self.seen))


def measure(server: Server, token: str, plan: Plan) -> list[Watched]:
    """Make the changes of a plan, one after the other."""
    found = []
    for kind, (first, *rest) in plan.items():
        asyncio.run(_change(server, token, kind, first))
        forget_peak(server.process)
        seen = tuple(asyncio.run(_change(server, token, kind, package)) for package in rest)
        found.append(Watched(kind, seen, peak_bytes(server.process)))
    return found


async def _change(server: Server, token: str, kind: Kind, package: Package) -> Seen:
    asking = Client(server, {"Authorization": f"Bearer {token}"})
    watching = Client(server, {})
    body = archive(package.record) if kind is Kind.NEW else None
    before = await _counted(server, asking)
    etag = (await watching.request("HEAD", f"{_BASE}/repodata.json.zst")).headers["etag"]
    watch = asyncio.create_task(_live(watching, etag))
    await asyncio.sleep(0)
    answer = await _ask(asking, kind, package, body)
    answered = time.perf_counter()
    if answer.status not in (200, 201, 204):
        sys.exit(f"The change was answered with {answer.status}: {answer.body.decode()}")
    live = await asyncio.wait_for(watch, _PATIENCE_SECONDS)
    await asyncio.sleep(_PAUSE_SECONDS)
    after = await _counted(server, asking)
    if await _is_listed(watching, package) != (kind is Kind.NEW):
        sys.exit(f"{package.filename} was changed, and the new generation does not show it.")
    await asking.close()
    await watching.close()
    pack, written = (one - other for one, other in zip(after, before, strict=True))
    return Seen(1000 * answer.seconds, 1000 * (live - answered), pack, written)


async def _ask(client: Client, kind: Kind, package: Package, body: bytes | None) -> Answer:
    if kind is Kind.NEW:
        return await client.request("PUT", f"{_BASE}/{package.filename}", body)
    if kind is Kind.REMOVED:
        return await client.request("DELETE", f"{_API}/files/{SUBDIR}/{package.filename}")
    order = {"files": [{"subdir": SUBDIR, "filename": package.filename}], "add": [BROKEN]}
    headers = {"Content-Type": "application/json"}
    return await client.request("POST", f"{_API}/relabel", orjson.dumps(order), headers)


async def _live(client: Client, etag: str) -> float:
    """Return when there was another generation, on the performance counter."""
    headers = {"If-None-Match": etag}
    while True:
        answer = await client.request("HEAD", f"{_BASE}/repodata.json.zst", headers=headers)
        if answer.status != 304:
            return time.perf_counter()
        await asyncio.sleep(_POLL_SECONDS)


async def _is_listed(client: Client, package: Package) -> bool:
    """Tell whether the shard of a package lists it."""
    index = read_index((await client.request("GET", f"{_BASE}/repodata_shards.msgpack.zst")).body)
    digest = index.get(package.record["name"])
    if digest is None:
        return False
    shard = decode_shard((await client.request("GET", f"{_BASE}/shards/{digest.hex()}.msgpack.zst")).body)
    return package.filename in shard.sections.get(package.section, {})


async def _counted(server: Server, client: Client) -> tuple[float, float]:
    """Return what the server has written so far: bytes in packs, and bytes in all."""
    text = (await client.request("GET", "/metrics")).body.decode()
    return metric(text, "channeld_pack_bytes_total"), written_bytes(server.process)


def metric(text: str, name: str) -> float:
    """Return the value of a metric without labels, from Prometheus' text format."""
    return next(float(line.split(" ")[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def report(watched: Watched, records: int) -> None:
    """Print what was measured."""
    seen = watched.seen
    say(f"\n{watched.kind.value} in {records:,} records, over HTTP, {len(seen)} times:")
    for name, values in (
        ("request to answer", [one.to_answer for one in seen]),
        ("answer to live", [one.answer_to_live for one in seen]),
        ("request to live", [one.to_live for one in seen]),
    ):
        say(f"  {name:28} {Spread(tuple(values)).shown('ms', 1)}")
    pack = Spread(tuple(one.pack_bytes / 1024 for one in seen))
    say(f"  {'written to the pack':28} {pack.shown('KiB')}")
    everything = Spread(tuple(one.written_bytes / MIB for one in seen))
    say(f"  {'written in all':28} {everything.shown('MiB', 1)}")
    say(f"  {'peak RSS of the server':28} {watched.peak / MIB:.0f} MiB")
