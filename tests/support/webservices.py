"""conda-forge's webservices as its CI speaks to them, and a server that promotes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from channeld.blobs.durable import Disk
from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.promotion.feedstocktokens import RANDOM_BYTES, new_token
from tests.support.promotion import PRODUCTION, STAGING, Build
from tests.support.server import Answer, RunningServer, running_server

COPY: Final = "/feedstock-outputs/copy"
VALIDATE: Final = "/feedstock-outputs/validate"
#: Made once: each costs as much as its verification.
TOKEN: Final = new_token(secrets.token_bytes(RANDOM_BYTES))


@dataclass(frozen=True, slots=True)
class Promoting:
    """A server with both channels, and the feedstock alpha with a token and the outputs alpha and beta."""

    server: RunningServer
    token: str = field(default=TOKEN.text, repr=False)

    def register(self, feedstock: str, *names: str, token: bool = False) -> None:
        """Register a feedstock with outputs, and perhaps with the token."""
        actor = Actor("test", "local", 0)

        def work(connection: Connection) -> None:
            found, _ = feedstocks.register(connection, PRODUCTION, feedstock, actor)
            channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
            outputs.register_each(connection, channel, [(name, found) for name in names], actor)
            if token:
                values = {
                    "feedstock_id": found.id,
                    "salt": TOKEN.row.salt,
                    "digest": TOKEN.row.digest,
                    "created_ms": 0,
                    "created_by": "test",
                }
                connection.execute(t.feedstock_tokens.insert().values(**values))

        self.server.database.write_now(work)

    async def stage(self, *builds: Build, label: str = "main") -> None:
        """Upload to staging."""
        for build in builds:
            answer = await self.server.upload(build.filename, build.data, label, channel=STAGING)
            assert answer.status in (200, 201), answer.body

    def body(self, *builds: Build, **changes: Any) -> dict[str, Any]:
        """Say what CI says."""
        body = {
            "feedstock": "alpha-feedstock",
            "outputs": {build.key: build.sha256 for build in builds},
            "channel": "main",
            "hash_type": "sha256",
            "git_sha": None,
            "provider": "github_actions",
            "comment_on_error": False,
            **changes,
        }
        return {name: value for name, value in body.items() if value is not ...}

    async def post(
        self,
        body: Any,
        path: str = COPY,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Send a request with the feedstock's token, or with other header fields."""
        fields = {"FEEDSTOCK_TOKEN": self.token} if headers is None else headers
        return await self.server.ask("POST", path, body, token=None, headers=fields, data=data)

    async def copy(self, *builds: Build, **changes: Any) -> Answer:
        """Ask for builds to be copied."""
        return await self.post(self.body(*builds, **changes))

    async def dist(self, build: Build, channel: str = PRODUCTION) -> str | None:
        """Return the hash under which anaconda.org's API shows a file; None where there is none."""
        path = f"/dist/{channel}/{build.name}/{build.version}/{build.key}"
        answer = await self.server.ask("GET", path, token=None)
        return str(answer.json["sha256"]) if answer.status == 200 else None

    async def index(self, build: Build, channel: str = PRODUCTION) -> str | None:
        """Return the hash under which the published index shows a file, without waiting for anything."""
        answer = await self.server.ask("GET", f"/{channel}/{build.subdir}/repodata.json", token=None)
        record = answer.json["packages.conda"].get(build.filename)
        return str(record["sha256"]) if record is not None else None

    async def seen(self, build: Build) -> set[str | None]:
        """Return what production shows of a file, wherever one looks."""
        return {await self.dist(build), await self.index(build)}

    async def state(self, answer: Answer) -> dict[str, Any]:
        """Look up the copy that an answer is about."""
        found = await self.server.ask("GET", answer.headers["Location"], token=None)
        assert found.status == 200
        copy: dict[str, Any] = found.json
        return copy


@asynccontextmanager
async def promoting(
    folder: Path, *, disk: Disk | None = None, indexing: bool = True
) -> AsyncIterator[Promoting]:
    """Run a server that promotes."""
    async with running_server(folder, disk=disk, indexing=indexing) as server:
        server.channel(PRODUCTION)
        server.channel(STAGING, kind="staging", promotes_to=PRODUCTION)
        made = Promoting(server)
        made.register("alpha", "alpha", "beta", token=True)
        yield made


def reason(build: Build) -> str:
    """Say what these services say of an output that is not on staging as asked for."""
    return f"output {build.key} does not have a valid checksum or correct label on {STAGING}"
