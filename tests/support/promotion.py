"""A staging channel, a production channel and a feedstock, below HTTP: upload, register, copy, look what is where."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, files, outputs, selection
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.copies import Copy
from channeld.clock import Clock
from channeld.instance import Instance, open_instance
from channeld.intake.ingest import Upload
from channeld.promotion.accepting import Ticket
from channeld.promotion.asking import Asked, Asker
from channeld.promotion.outcomes import Outcome
from tests.support.catalog import NOW
from tests.support.clock import ManualClock
from tests.support.packages import build_conda
from tests.support.server import make_channel, settings_in

STAGING: Final = "cf-staging"
PRODUCTION: Final = "conda-forge"
FEEDSTOCK: Final = "alpha"


@dataclass(frozen=True, slots=True)
class Build:
    """A package that somebody built; another ``content`` means other bytes under the same name."""

    name: str = "alpha"
    version: str = "1.0"
    content: str = ""
    subdir: str = "noarch"

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-0.conda"

    @property
    def key(self) -> str:
        """What a request to copy calls it."""
        return f"{self.subdir}/{self.filename}"

    @property
    def data(self) -> bytes:
        files = {f"share/{self.name}": f"{self.version} {self.content}".encode()}
        return build_conda(self.name, self.version, subdir=self.subdir, files=files)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def md5(self) -> str:
        return hashlib.md5(self.data).hexdigest()


@dataclass(slots=True)
class Bench:
    """An instance with both channels, and with one feedstock that has a token and three outputs."""

    instance: Instance
    token_row: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def actor(self, who: str = "ci") -> Actor:
        return Actor(who, "local", self.instance.clock.now_ms())

    def upload(self, build: Build, *labels: str, channel: str = STAGING, who: str = "ci") -> None:
        """Upload a package."""

        async def chunks() -> AsyncIterator[bytes]:
            yield build.data

        upload = Upload(channel, build.filename, labels or ("main",), self.actor(who))
        asyncio.run(self.instance.intake.ingest(upload, chunks()))

    def register(self, *names: str, feedstock: str = FEEDSTOCK) -> None:
        """Register a feedstock, with outputs."""

        def work(connection: Connection) -> None:
            found, _ = feedstocks.register(connection, PRODUCTION, feedstock, self.actor())
            channel = channels.lock(connection, [PRODUCTION])[PRODUCTION]
            outputs.register_each(connection, channel, [(name, found) for name in names], self.actor())

        self.instance.database.write_now(work)

    def make_token(self, feedstock: str = FEEDSTOCK, expires_ms: int | None = None) -> int:
        """Give a feedstock a token that nobody can use; returns its row."""

        def work(connection: Connection) -> int:
            channel = channels.get(connection, PRODUCTION)
            found = feedstocks.get(connection, channel, feedstock)
            values = {
                "feedstock_id": found.id,
                "salt": b"salt",
                "digest": b"digest",
                "expires_ms": expires_ms,
                "created_ms": 0,
                "created_by": "test",
            }
            made = t.feedstock_tokens.insert().values(**values).returning(t.feedstock_tokens.c.id)
            return int(connection.execute(made).scalar_one())

        return self.instance.database.write_now(work)

    def asked(self, *builds: Build, **changes: Any) -> Asked:
        """Ask for builds to be copied, as the feedstock does."""
        asker = Asker(f"feedstock:{FEEDSTOCK}", "10.0.0.1", "", self.token_row)
        asked = Asked(
            PRODUCTION,
            STAGING,
            f"{FEEDSTOCK}-feedstock",
            "main",
            {build.key: build.sha256 for build in builds},
            asker,
        )
        return replace(asked, **changes)

    def begin(self, asked: Asked, request_key: str | None = None) -> Copy:
        """Do the first transaction of a copy."""
        ticket = Ticket(f"copy-{next(self.numbers)}", request_key)
        return self.instance.database.write_now(
            lambda connection: self.instance.copies.begin(connection, asked, ticket)
        )

    def copy(self, asked: Asked) -> Copy:
        """Copy, from the beginning to the end."""
        begun = self.begin(asked)
        done = self.instance.copies.carry_out(begun.id)
        assert done is not None
        return done

    def holds(self, channel: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Tell what a channel shows: its files with hashes and labels."""

        def read(connection: Connection) -> dict[str, tuple[str, tuple[str, ...]]]:
            found = channels.get(connection, channel)
            live = selection.search(
                connection,
                [t.files.c.channel_id == found.id, t.files.c.deleted_ms.is_(None)],
                [t.files.c.id],
            )
            return {
                f"{file.subdir}/{file.filename}": (
                    file.sha256,
                    tuple(selection.label_names_of(connection, file.id)),
                )
                for file in live
            }

        return self.instance.database.read_now(read)

    def staged(self) -> set[str]:
        """Name the bytes that staging shows."""
        query = (
            sa.select(t.artifacts.c.sha256)
            .join(t.files, t.files.c.artifact_id == t.artifacts.c.id)
            .join(t.channels, t.channels.c.id == t.files.c.channel_id)
            .where(t.channels.c.name == STAGING, t.files.c.deleted_ms.is_(None))
        )
        return self.instance.database.read_now(lambda connection: set(connection.execute(query).scalars()))

    def delete(self, build: Build, channel: str = STAGING) -> None:
        """Delete a file, or hide a candidate."""
        self.instance.database.write_now(
            lambda connection: files.delete(
                connection, channel, build.subdir, build.filename, self.actor(), sha256=build.sha256
            )
        )

    def pins(self) -> int:
        """Count what is pinned."""
        query = sa.select(sa.func.count()).select_from(t.pins)
        return self.instance.database.read_now(lambda connection: int(connection.execute(query).scalar_one()))

    def damage(self, build: Build) -> None:
        """Change the stored bytes of a build behind everybody's back."""
        path = self.instance.blobs.path(build.sha256)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def production_of(*builds: Build, label: str = "main") -> dict[str, tuple[str, tuple[str, ...]]]:
    """Say what production shows that has exactly these builds."""
    return {build.key: (build.sha256, (label,)) for build in builds}


def fates(copy: Copy) -> Mapping[str, str]:
    """Tell what became of each output of a copy."""
    return {output.key: output.fate.value for output in Outcome.read(copy.outcome).outputs}


def errors(copy: Copy) -> tuple[str, ...]:
    """Tell what was wrong with a copy."""
    return Outcome.read(copy.outcome).errors


@contextmanager
def bench(
    folder: Path, template: Path | None = None, clock: Clock | None = None, url: str = ""
) -> Iterator[Bench]:
    """Open an instance with everything that promotion needs.

    ``template`` is a migrated SQLite file, which is quicker than making one, ``url`` that of another database.
    """
    if template is not None:
        (folder / "data").mkdir()
        shutil.copyfile(template, folder / "data" / "catalog.sqlite")
    settings = settings_in(folder)
    settings = replace(settings, storage=replace(settings.storage, database_url=url))
    instance = open_instance(settings, clock or ManualClock(NOW))
    try:
        yield prepared(instance)
    finally:
        instance.close()


def prepared(instance: Instance) -> Bench:
    """Make the channels and the feedstock."""
    make_channel(instance.database, PRODUCTION)
    make_channel(instance.database, STAGING, kind="staging", promotes_to=PRODUCTION)
    made = Bench(instance)
    made.register("alpha", "beta", "gamma")
    return replace(made, token_row=made.make_token())
