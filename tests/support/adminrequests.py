"""A catalog with a channel and two feedstocks, and somebody who applies requests to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from sqlalchemy import Connection

from channeld.blobs.local import Digests, LocalBlobs
from channeld.catalog import channels, feedstocks, labels, outputs
from channeld.catalog.audit import Actor
from channeld.catalog.database import Database
from channeld.catalog.files import Artifact
from channeld.catalog.grants import ADMINISTRATOR, Grant
from channeld.catalog.outputs import KeyedGlob
from channeld.formats.names import FileName, Naming
from channeld.promotion.applying import Applied, Requests
from channeld.promotion.checking import Checker
from channeld.promotion.feedstocktokens import NewFeedstockToken, TokenRow
from channeld.promotion.globs import core_of
from channeld.promotion.requestplans import Caller
from channeld.promotion.requestreading import read_request
from tests.support.catalog import NOW, add, artifact, dump, make_channel

T = TypeVar("T")

CHANNEL: Final = "conda-forge"
#: What the channel has, by what requests call it.
FILES: Final = {
    "noarch/alpha-1.0-0.conda": artifact("alpha"),
    "noarch/alpha-2.0-0.conda": artifact("alpha", "2.0"),
    "linux-64/beta-1.0-0.conda": artifact("beta", subdir="linux-64"),
}
#: Outputs and globs of each feedstock.
FEEDSTOCKS: Final = {"alpha": ("alpha", "libalpha*"), "beta": ("beta", "alpha")}

#: What became of one entry: what it is about, its fate, and what is said of it.
Told = tuple[str, str, str]


async def quick_token(randomness: bytes, provider: str | None = None) -> NewFeedstockToken:
    """Make a token that is kept as it is: tests would wait for a scrypt."""
    return NewFeedstockToken(TokenRow(randomness[:4], randomness[4:8], provider), randomness.hex())


def _examine(_file: BinaryIO, _filename: FileName, _digests: Digests, _naming: Naming) -> Artifact:
    raise AssertionError("no bytes are to be read")


@dataclass(slots=True)
class Desk:
    """Where requests are applied."""

    database: Database
    requests: Requests
    grants: Sequence[Grant] = (ADMINISTRATOR,)
    now_ms: int = NOW
    #: Where the next random bytes come from.
    numbers: Any = field(default_factory=lambda: count(1))

    @classmethod
    def over(cls, database: Database, folder: Path) -> Desk:
        """Set one up over an empty catalog."""
        made = cls.at(database, folder)
        made.fill()
        return made

    @classmethod
    def at(cls, database: Database, folder: Path) -> Desk:
        """Sit down at one that was set up."""
        return cls(database, Requests(database, Checker(LocalBlobs(folder / "blobs"), _examine)))

    def close(self) -> None:
        """Let go of everything, the database too."""
        self.requests.close()
        self.database.close()

    def fill(self) -> None:
        """Make the channel, its files and its feedstocks."""
        make_channel(self.database, CHANNEL)
        for package in FILES.values():
            add(self.database, package, channel=CHANNEL)
        for name, entries in FEEDSTOCKS.items():
            self.write(lambda connection, name=name, entries=entries: _register(connection, name, entries))

    def write(self, work: Any) -> Any:
        return self.database.write_now(work)

    def read(self, work: Any) -> Any:
        return self.database.read_now(work)

    def actor(self) -> Actor:
        return Actor("tester", "local", self.now_ms)

    def rehearse(self, text: str, channel: str = CHANNEL) -> Applied:
        """Do a dry run."""
        request = read_request(text.encode(), "yaml", "request.yml")
        caller = Caller(self.actor(), tuple(self.grants))
        return asyncio.run(self.requests.rehearse(request, request.channel or channel, caller))

    def apply(self, text: str, channel: str = CHANNEL) -> Applied:
        """Apply a request."""
        request = read_request(text.encode(), "yaml", "request.yml")
        caller = Caller(self.actor(), tuple(self.grants))
        return asyncio.run(
            self.requests.apply(request, request.channel or channel, caller, quick_token, self.randomness)
        )

    def randomness(self, size: int) -> bytes:
        number: int = next(self.numbers)
        return number.to_bytes(8, "little") * (size // 8)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of the catalog."""
        return dump(self.database)

    def lock_broken(self) -> None:
        """Lock the label ``broken``."""

        def lock(connection: Connection) -> None:
            channel = channels.lock(connection, [CHANNEL])[CHANNEL]
            labels.ensure(connection, channel, "broken", self.actor())
            labels.configure(connection, CHANNEL, "broken", self.actor(), locked=True)

        self.write(lock)

    def archived(self) -> set[str]:
        """Name the feedstocks that are archived."""

        def find(connection: Connection) -> set[str]:
            channel = channels.get(connection, CHANNEL)
            found = feedstocks.find_each(connection, channel.id, FEEDSTOCKS)
            return {name for name, feedstock in found.items() if feedstock.archived_ms is not None}

        found: set[str] = self.read(find)
        return found

    def registered(self) -> dict[str, tuple[str, ...]]:
        """Return the outputs and globs of each feedstock."""

        def find(connection: Connection) -> dict[str, tuple[str, ...]]:
            channel = channels.get(connection, CHANNEL)
            return {
                name: (*outputs.outputs_of(connection, one.id), *outputs.globs_of(connection, one.id))
                for name, one in feedstocks.find_each(connection, channel.id, FEEDSTOCKS).items()
            }

        found: dict[str, tuple[str, ...]] = self.read(find)
        return found

    def tokens(self, feedstock: str) -> list[tuple[str | None, int | None, bytes]]:
        """Return provider, end and digest of the tokens of a feedstock that count or will have counted."""

        def find(connection: Connection) -> list[tuple[str | None, int | None, bytes]]:
            channel = channels.get(connection, CHANNEL)
            found = feedstocks.get(connection, channel, feedstock)
            kept = feedstocks.tokens_of(connection, found.id)
            return [(each.provider, each.expires_ms, each.digest) for each in kept]

        found: list[tuple[str | None, int | None, bytes]] = self.read(find)
        return found


def _register(connection: Connection, name: str, entries: Sequence[str]) -> None:
    actor = Actor("tester", "local", NOW)
    feedstock, _ = feedstocks.register(connection, CHANNEL, name, actor)
    channel = channels.lock(connection, [CHANNEL])[CHANNEL]
    names = [(entry, feedstock) for entry in entries if "*" not in entry]
    outputs.register_each(connection, channel, names, actor)
    globs = [KeyedGlob(entry, core_of(entry)) for entry in entries if "*" in entry]
    outputs.add_globs(connection, channel, {feedstock: globs}, actor)


def told(applied: Applied) -> list[Told]:
    """Say what became of each entry."""
    return [(str(step.entry), step.fate.value, step.text) for step in applied.steps]
