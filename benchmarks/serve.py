"""How many requests a second: 304s, shards, artifacts and repodata.json.zst, beside bare aiohttp and nginx.

``channeld serve`` is one process that indexes and serves. The peers send the same bytes: aiohttp with one handler and
nothing around it, nginx with one process, both from a folder. Each server has the first processor to itself, as far as
the machine is ours, and wrk has the others. Rounds go round the servers, so that a busy moment hits them alike; beside
the rate stands the server's own processor time for a request, which a busy machine changes less.

``--quetz FOLDER`` adds quetz-server, in an environment that is made in FOLDER when it is not there.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from benchmarks import quetz
from benchmarks.measure import MIB, Spread, cpu_seconds, machine, parser, positive, say, seconds
from benchmarks.packagefolder import package
from benchmarks.servers import (
    CHANNEL,
    Server,
    bare_aiohttp,
    channeld,
    make_token,
    nginx,
    open_folder,
    wait_until_idle,
)
from benchmarks.synthesis import SUBDIR, Package, data_folder, fill, packages, real_records, shifted
from channeld.catalog.audit import Actor
from channeld.indexing.documents.shards import read_index
from channeld.instance import Instance
from channeld.intake.ingest import Upload

_CONNECTIONS: Final = 16
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT: Final = re.compile(r"(\d+) requests in")
#: Files of the package whose shard has about 200 KB.
_LARGE_SHARD: Final = 2_200
_ZST: Final = "repodata.json.zst"
_INDEX: Final = "repodata_shards.msgpack.zst"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is asked for: its path on each server by name, and what is sent along."""

    name: str
    size: int
    paths: Mapping[str, str]
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Rates:
    """What rounds of wrk found out about one server and one target."""

    rates: list[float] = field(default_factory=list)
    cpu_microseconds: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, and print the ratios to bare aiohttp on the last line."""
    arguments = parser(__doc__)
    arguments.add_argument("--records", type=positive, help="records of the channel; 500,000 by default")
    arguments.add_argument("--quetz", type=Path, metavar="FOLDER", help="run quetz-server too")
    options = arguments.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: it is Debian's package wrk (apt install wrk).")
    count = options.records or (4_000 if options.small else 500_000)
    rounds, length = (2, 1) if options.small else (5, 5)
    say(machine())
    with tempfile.TemporaryDirectory(prefix="channeld-serve-") as folder, ExitStack() as stack:
        root = Path(folder)
        taken, paths = seconds(lambda: _prepare(root / "data", count))
        say(f"a channel of {count:,} records was made in {taken:.0f} s; {rounds} rounds of {length} s each")
        ours = stack.enter_context(channeld(root / "data"))
        files = _fetch(ours, paths, root / "files")
        servers = [ours, stack.enter_context(bare_aiohttp(files))]
        web = stack.enter_context(nginx(files, root / "nginx"))
        if web is not None:
            servers.append(web)
        else:
            say("nginx is not installed, and left out: it is Debian's package nginx-light.")
        if options.quetz:
            peer = stack.enter_context(quetz.running(options.quetz, root / "quetz"))
            quetz.put_files(peer, files, SUBDIR)
            servers.append(peer.server)
        else:
            say("quetz-server is left out; --quetz FOLDER runs it.")
        targets = _targets(servers, paths, files)
        _pin(servers)
        wait_until_idle(ours)
        say("; ".join([_measure(target, servers, rounds, length) for target in targets]))


def _prepare(folder: Path, count: int) -> dict[str, str]:
    """Make and publish a channel; returns the names of what is asked for, with their paths."""
    folder.mkdir()
    instance = open_folder(folder)
    try:
        make_token(instance)
        fill(instance.database, CHANNEL, chain(packages(data_folder(), count), _large_package()))
        artifacts = {
            "artifact 60 KB": _upload(instance, "sixty", 60_000),
            "artifact 1 MB": _upload(instance, "million", 1_000_000),
        }
        instance.publisher.publish_all()
    finally:
        instance.close()
    base = f"/{CHANNEL}/{SUBDIR}"
    return {
        "repodata.json.zst": f"{base}/{_ZST}",
        "shard index": f"{base}/{_INDEX}",
        **{name: f"{base}/{filename}" for name, filename in artifacts.items()},
    }


def _large_package() -> Iterator[Package]:
    """Yield the many files of one package."""
    real = real_records(data_folder())
    filename, record = next((name, record) for name, record in real if record["name"] == "python")
    for number in range(_LARGE_SHARD):
        one = record | {"name": "large-package", "version": f"3.{number // 20}.{number % 20}"}
        yield shifted(filename, one, 0)


def _upload(instance: Instance, name: str, size: int) -> str:
    record: dict[str, Any] = {
        "build": "0", "build_number": 0, "depends": [], "name": name, "subdir": SUBDIR, "version": "1.0",
    }  # fmt: skip
    data = package(record, size)
    actor = Actor("benchmark", "local", instance.clock.now_ms())
    filename = f"{name}-1.0-0.conda"

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    async def ingest() -> None:
        await instance.intake.ingest(Upload(CHANNEL, filename, ("main",), actor), chunks())

    asyncio.run(ingest())
    return filename


def _fetch(ours: Server, paths: dict[str, str], folder: Path) -> Path:
    """Fetch everything once and put it into a folder for the peers; finds two shards and adds them to the paths."""
    folder.mkdir()
    index = read_index(ours.get(paths["shard index"])[2])
    base = f"/{CHANNEL}/{SUBDIR}/shards"
    usual = sorted(index)[len(index) // 2]
    for name, found in (("shard", index[usual]), ("large shard", index["large-package"])):
        paths[name] = f"{base}/{found.hex()}.msgpack.zst"
    for path in paths.values():
        status, _, data = ours.get(path)
        if status != 200:
            sys.exit(f"{path} was answered with {status}.")
        (folder / path.rpartition("/")[2]).write_bytes(data)
    return folder


def _targets(servers: list[Server], paths: dict[str, str], files: Path) -> list[Target]:
    """Say what is measured, and make sure that every server sends the same bytes."""
    targets: list[Target] = []
    for name, path in paths.items():
        filename = path.rpartition("/")[2]
        data = (files / filename).read_bytes()
        at = {server.name: f"/{filename}" for server in servers}
        at |= {"channeld": path, quetz.NAME: quetz.path_of(filename, SUBDIR)}
        etags = {}
        for server in servers:
            status, fields, body = server.get(at[server.name])
            if (status, body) != (200, data):
                sys.exit(f"{server.name} answered {at[server.name]} with {status} and other bytes.")
            etags[server.name] = {"If-None-Match": fields["etag"]}
        if name == "repodata.json.zst":
            targets.insert(0, Target("304", len(data), at, etags))
            at = at | {"bare aiohttp": f"/file/{filename}"}  # 30 MB out of memory is no way to serve them
        targets.append(Target(name, len(data), at))
    return targets


def _pin(servers: list[Server]) -> None:
    """Give the servers the first processor, and everything that starts from here on the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        for server in servers:
            for thread in Path(f"/proc/{server.process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {first})
        os.sched_setaffinity(0, set(others))


def _measure(target: Target, servers: list[Server], rounds: int, length: int) -> str:
    """Ask each server in turn; returns the ratio of ours to bare aiohttp."""
    found = {server.name: Rates() for server in servers}
    for _ in range(rounds):
        for server in servers:
            rate, cpu = _wrk(server, target, length)
            found[server.name].rates.append(rate)
            found[server.name].cpu_microseconds.append(cpu)
    say(f"\n{target.name}, {target.size:,} bytes, {_CONNECTIONS} connections, requests a second:")
    for name, rates in found.items():
        spread = Spread(tuple(rates.rates))
        cpu = Spread(tuple(rates.cpu_microseconds)).median
        rest = "" if target.name == "304" else f"  {spread.median * target.size / MIB:8,.0f} MiB/s"
        say(f"  {name:12} {spread.shown('', 0):44} {cpu:9,.1f} µs of CPU each{rest}")
    ours, bare = found["channeld"], found["bare aiohttp"]
    by_rate = Spread(tuple(ours.rates)).median / Spread(tuple(bare.rates)).median
    by_cpu = Spread(tuple(bare.cpu_microseconds)).median / Spread(tuple(ours.cpu_microseconds)).median
    return f"{target.name} {by_rate:.2f} of bare aiohttp ({by_cpu:.2f} by CPU)"


def _wrk(server: Server, target: Target, length: int) -> tuple[float, float]:
    """Run wrk once; returns requests a second, and µs of the server's processor time for each."""
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{length}s", "--timeout", "30s"]
    for name, value in target.headers.get(server.name, {}).items():
        command += ["-H", f"{name}: {value}"]
    before = cpu_seconds(server.process)
    done = subprocess.run(
        [*command, server.url + target.paths[server.name]], capture_output=True, text=True, check=True
    )
    spent = cpu_seconds(server.process) - before
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"{server.name}, {target.name}:\n{done.stdout}")
    rate, count = _RATE.search(done.stdout), _COUNT.search(done.stdout)
    assert rate is not None
    assert count is not None
    return float(rate[1]), spent * 1e6 / max(1, int(count[1]))


if __name__ == "__main__":
    main()
