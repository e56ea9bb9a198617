"""A client that costs little, so that what is measured is the server: HTTP/1.1 by hand on one connection."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how long after the request's first byte it had come, seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Client:
    """One connection that is kept."""

    def __init__(self, server: Server, headers: Mapping[str, str]) -> None:
        self._server = server
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with bytes or a file as its body, and read the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._server.address)
        reader, writer = self._streams
        fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        size = os.stat(body).st_size if isinstance(body, Path) else len(body or b"")  # noqa: PTH116
        length = f"Content-Length: {size}\r\n" if body is not None else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{self._fixed}{fields}{length}\r\n".encode()
        started = time.perf_counter()
        if isinstance(body, Path):
            writer.write(head)
            await writer.drain()
            with body.open("rb") as file:
                await asyncio.get_running_loop().sendfile(writer.transport, file)
        else:
            writer.write(head + (body or b""))
            await writer.drain()
        status, answered = await _head(reader)
        size = 0 if status == 304 or method == "HEAD" else int(answered.get("content-length", "0"))
        data = await reader.readexactly(size)
        return Answer(status, answered, data, time.perf_counter() - started)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}


class LiveWatch:
    """Asks for a shard index again and again, and notes when each name is first listed there."""

    def __init__(self, client: Client, path: str, names_of: Callable[[bytes], set[str]]) -> None:
        self._client = client
        self._path = path
        self._names_of = names_of
        #: Name → when it was seen, on the performance counter.
        self.seen: dict[str, float] = {}
        #: The names whose coming ends the watch, once they are known.
        self.wanted: set[str] | None = None

    async def run(self, pause_seconds: float) -> None:
        """Watch until all that is wanted is there."""
        etag = ""
        while self.wanted is None or not self.wanted <= self.seen.keys():
            answer = await self._client.request("GET", self._path, headers={"If-None-Match": etag})
            now = time.perf_counter()
            if answer.status == 200:
                etag = answer.headers["etag"]
                for name in self._names_of(answer.body):
                    self.seen.setdefault(name, now)
            await asyncio.sleep(pause_seconds)
        await self._client.close()
