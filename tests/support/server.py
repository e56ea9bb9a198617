"""A whole channeld on a free port of 127.0.0.1, with its indexer running, and short ways to talk to it.

``running_server(folder)`` is for tests that are coroutines; ``ServerThread`` runs the same beside a test that is
not, such as one of a command.
"""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
from aiohttp import web, web_app
from sqlalchemy import Connection

from channeld.blobs.durable import Disk
from channeld.catalog import channels, liveness, tokens
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.grants import ADMINISTRATOR, Grant, Verb
from channeld.clock import Clock, SystemClock
from channeld.settings import Settings
from channeld.web.app import make_app
from channeld.web.keys import Services
from channeld.web.services import running_services
from tests.support.templates import lay_out_catalog

T = TypeVar("T")

#: Subdirs of new channels: few, so that whole answers can be compared.
SUBDIRS: Final = ("linux-64", "noarch")
_PATIENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """The status and the code of an error."""
        return self.status, self.json["code"]


def settings_in(folder: Path, **server: Any) -> Settings:
    """Return settings for a server that keeps everything in a folder, with a few subdirs and no reserve."""
    settings = Settings()
    return replace(
        settings,
        server=replace(settings.server, **server),
        storage=replace(settings.storage, data_dir=folder / "data", reserve_bytes=0),
        index=replace(settings.index, initial_subdirs=SUBDIRS),
    )


def make_token(
    database: Database,
    *grants: Grant,
    name: str = "test",
    expires_ms: int | None = None,
    now_ms: int | None = None,
) -> str:
    """Make a token; without grants, an administrator's."""
    actor = Actor("tester", "local", SystemClock().now_ms() if now_ms is None else now_ms)
    made = database.write_now(
        lambda connection: tokens.create(
            connection,
            name,
            grants or (ADMINISTRATOR,),
            actor,
            randomness=secrets.token_bytes(tokens.RANDOM_BYTES),
            expires_ms=expires_ms,
        )
    )
    return made.text


def grant(*verbs: str, channels: str = "*", labels: str = "*", packages: str = "*") -> Grant:
    """Write a grant down shortly."""
    return Grant(frozenset(map(Verb, verbs)), channels, labels, packages)


def make_channel(database: Database, name: str, **changes: Any) -> None:
    """Create a channel, without a request."""
    actor = Actor("tester", "local", SystemClock().now_ms())
    settings = ChannelSettings(subdirs=SUBDIRS).changed(changes)
    database.write_now(lambda connection: channels.create(connection, name, settings, actor))


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server, its insides, and a client with the administrator's token."""

    url: str
    services: Services
    admin: str
    session: aiohttp.ClientSession
    settings: Settings = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def database(self) -> Database:
        return self.services.instance.database

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request below the server's root: as the administrator, with another token, or with None."""
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = f"Bearer {token or self.admin}"
        async with self.session.request(
            method,
            self.url + path,
            json=body,
            data=None if data is None else io.BytesIO(data),
            headers=fields,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    def channel(self, name: str = "chan", **changes: Any) -> None:
        """Create a channel, without a request."""
        make_channel(self.database, name, **changes)

    def token(self, *grants: Grant, **options: Any) -> str:
        """Make a token, without a request."""
        return make_token(self.database, *grants, **options)

    async def upload(
        self, filename: str, data: bytes, *labels: str, channel: str = "chan", **options: Any
    ) -> Answer:
        """Upload a package over the native API."""
        query = "&".join(f"label={label}" for label in labels)
        path = f"/api/v1/channels/{channel}/files/{filename}?{query}".rstrip("?")
        return await self.ask("PUT", path, data=data, **options)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Look into the catalog."""
        return await self.database.read(work)

    async def settled(self, channel: str = "chan") -> None:
        """Wait until everything in a channel is published."""
        for _ in range(round(_PATIENCE_SECONDS / 0.01)):
            if await self.read(lambda connection: _is_settled(connection, channel)):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{channel} was not published in {_PATIENCE_SECONDS} s")

    async def shown(self, label: str = "main", subdir: str = "noarch", channel: str = "chan") -> list[str]:
        """List the files that a published repodata.json shows."""
        await self.settled(channel)
        below = "" if label == "main" else f"/label/{label}"
        document = (await self.ask("GET", f"/{channel}{below}/{subdir}/repodata.json")).json
        return [*document["packages"], *document["packages.conda"]]


def _is_settled(connection: Connection, channel: str) -> bool:
    found = channels.get(connection, channel)
    return liveness.live(connection, found.id, found.revision)


@asynccontextmanager
async def running_server(
    folder: Path,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    indexing: bool = True,
    disk: Disk | None = None,
) -> AsyncIterator[RunningServer]:
    """Run a server that keeps everything in a folder."""
    settings = settings or settings_in(folder)
    lay_out_catalog(settings)
    async with running_services(settings, clock or SystemClock(), indexing=indexing, disk=disk) as services:
        runner = web.AppRunner(make_app(services), access_log=None, auto_decompress=False, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as session:
                admin = make_token(services.instance.database, now_ms=services.clock.now_ms())
                yield RunningServer(url, services, admin, session, settings)
        finally:
            await runner.cleanup()
            # aiohttp remembers every application it ever served, and with it all that belongs to the application
            web_app._cached_build_middleware.cache_clear()


class ServerThread:
    """The same on a thread of its own, for tests that are no coroutines."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Settings | None = None,
        indexing: bool = True,
        disk: Disk | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._indexing = indexing
        self._disk = disk
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server")
        self._server: RunningServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def server(self) -> RunningServer:
        assert self._server is not None, "it has not started"
        return self._server

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Send a request, as ``RunningServer.ask``."""
        return self._call(self.server.ask(method, path, body, **options))

    def upload(self, filename: str, data: bytes, *labels: str, **options: Any) -> Answer:
        """Upload a package, as ``RunningServer.upload``."""
        return self._call(self.server.upload(filename, data, *labels, **options))

    def shown(self, label: str = "main", subdir: str = "noarch", channel: str = "chan") -> list[str]:
        """List what a published repodata.json shows."""
        return self._call(self.server.shown(label, subdir, channel))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with running_server(
                self._folder, settings=self._settings, indexing=self._indexing, disk=self._disk
            ) as self._server:
                self._ready.set()
                await self._stop.wait()
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_PATIENCE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_SECONDS)
