"""quetz-server as a peer, in an environment of its own outside the project, which is made when it is not there."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import Spread, say
from benchmarks.servers import CHANNEL, Server, free_port, started, stop
from benchmarks.uploader import Answer, Client

NAME: Final = "quetz"
#: The last release, and what it runs with.
_REQUIREMENTS: Final = ("quetz-server==0.10.4", "fastapi<0.112", "starlette<0.38", "sqlalchemy<2.1")
_KEY: Final = re.compile(r"API key created for user \S+ (\S+)")
_AT_ONCE: Final = 8
#: Of 300 uploads most are never answered.
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Quetz:
    """A quetz that answers, with its folder and a key for its API."""

    server: Server
    folder: Path
    key: str


@contextmanager
def running(environment: Path, folder: Path) -> Iterator[Quetz]:
    """Run quetz with SQLite in a new folder, with one channel."""
    if not (environment / "bin" / "quetz").exists():
        say(f"quetz-server is being installed in {environment}")
        venv.create(environment, with_pip=True)
        subprocess.run([environment / "bin" / "pip", "install", "--quiet", *_REQUIREMENTS], check=True)
    port = free_port()
    log = folder.with_suffix(".log")
    program = str(environment.absolute() / "bin" / "quetz")
    command = [program, "run", str(folder), "--create-conf", "--dev", "--port", str(port)]
    with log.open("wb") as output:
        # it leaves a log of its own where it is started
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder.parent)
    try:
        server = started(Server(NAME, f"http://127.0.0.1:{port}", process.pid))
        found = _KEY.search(log.read_text())
        if found is None:
            sys.exit(f"quetz shows no key:\n{log.read_text()}")
        quetz = Quetz(server, folder, found[1])
        asyncio.run(_make_channel(quetz))
        yield quetz
    finally:
        stop(process)


async def _make_channel(quetz: Quetz) -> None:
    with closing(sqlite3.connect(quetz.folder / "quetz.sqlite")) as database, database:
        database.execute("UPDATE users SET role = 'owner'")  # the key's user may not make channels otherwise
    client = Client(quetz.server, {"X-API-Key": quetz.key, "Content-Type": "application/json"})
    answer = await client.request(
        "POST", "/api/channels", b'{"name": "%s", "private": false}' % CHANNEL.encode()
    )
    await client.close()
    if answer.status != 201:
        sys.exit(f"quetz made no channel: {answer.status} {answer.body.decode()}")


def put_files(quetz: Quetz, files: Path, subdir: str) -> None:
    """Put files into the channel's folder, as its indexer would; quetz sends whatever lies there."""
    target = quetz.folder / "channels" / CHANNEL / subdir
    target.mkdir(parents=True, exist_ok=True)
    for path in files.iterdir():
        shutil.copy(path, target)


def path_of(filename: str, subdir: str) -> str:
    """Return the path under which quetz serves a file of the channel."""
    return f"/get/{CHANNEL}/{subdir}/{filename}"


def uploads(environment: Path, folder: Path, packages: Sequence[tuple[str, bytes]]) -> str:
    """Upload packages, given as (file name, bytes), eight at once; prints and returns what became of them."""
    with running(environment, folder) as quetz:
        begun = time.perf_counter()
        answers = asyncio.run(_upload(quetz, packages))
        taken = time.perf_counter() - begun
    accepted = [answer for answer in answers if answer.status == 201]
    others = dict(Counter(answer.status for answer in answers if answer.status != 201))
    waits = Spread(tuple(answer.seconds * 1000 for answer in accepted) or (0.0,))
    say(
        f"\nquetz-server: {len(packages)} uploads, {_AT_ONCE} at once, given up after {taken:.1f} s at the latest"
    )
    say(
        f"  accepted {len(accepted)}, {len(accepted) / taken:,.1f} a second; other answers: {others or 'none'}"
    )
    say(f"  never answered: {len(packages) - len(answers)}; until 201: {waits.shown('ms', 1)}")
    return f"quetz accepted {len(accepted)} of {len(packages)}, {len(accepted) / taken:,.1f}/s"


async def _upload(quetz: Quetz, packages: Sequence[tuple[str, bytes]]) -> list[Answer]:
    waiting = iter(packages)
    answers = []

    async def work() -> None:
        client = Client(quetz.server, {"X-API-Key": quetz.key})
        for filename, data in waiting:
            digest = hashlib.sha256(data).hexdigest()
            path = f"/api/channels/{CHANNEL}/upload/{filename}?force=false&sha256={digest}"
            try:
                answer = await client.request("POST", path, data)
            except (OSError, EOFError):  # it closed the connection
                answer = Answer(0, {}, b"", 0.0)
                client = Client(quetz.server, {"X-API-Key": quetz.key})
            answers.append(answer)
        await client.close()

    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return answers
