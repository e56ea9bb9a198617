"""A catalog, packs and a publisher in a folder of their own, and what they publish, read as a client reads it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson
import zstandard
from sqlalchemy import Connection

from channeld.blobs.durable import Disk
from channeld.catalog import channels, files, labels, views
from channeld.catalog import shards as shard_rows
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database, open_database
from channeld.catalog.files import Artifact
from channeld.catalog.selection import Selection
from channeld.catalog.views import ViewKey
from channeld.formats.layout import canonical_json
from channeld.formats.shard import decode_shard, decode_shard_index
from channeld.formats.zstdframe import check_frame
from channeld.indexing import generation
from channeld.indexing.assembly import Assembly
from channeld.indexing.fsck import Checker
from channeld.indexing.generation import Documents, Paged, Whole
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import PageTable, Place
from channeld.indexing.paging import PageSize
from channeld.indexing.pieceranges import plain
from channeld.indexing.press import Levels
from channeld.indexing.publisher import Publication, Publisher
from channeld.indexing.render import Engine
from channeld.indexing.sweeping import Retention, Sweeper
from channeld.indexing.tables import Tables
from tests.support.catalog import relabel
from tests.support.clock import ManualClock

T = TypeVar("T")

CHANNEL = "chan"
SHARDS = "repodata_shards.msgpack.zst"
#: Pages of four entries, so that a few packages have many pages.
SMALL_PAGES = PageSize(target=4, target_bytes=4_000)


class QuickDisk(Disk):
    """A disk that is not waited for: nobody pulls the plug in a test."""

    def fsync(self, file: BinaryIO) -> None:
        file.flush()

    def fsync_folder(self, folder: Path) -> None:
        pass


def package(
    name: str = "alpha",
    version: str = "1.0",
    build: str = "0",
    *,
    subdir: str = "linux-64",
    extension: str = ".conda",
    v3: bool = False,
    content: str = "",
    run_exports: Mapping[str, list[str]] | None = None,
    **fields: Any,
) -> Artifact:
    """Return what the catalog is told of a package; another ``content`` means other bytes under the same name."""
    filename = f"{name}-{version}-{build}{extension}"
    seed = f"{subdir}/{filename} {content}".encode()
    sha256, md5 = hashlib.sha256(seed).hexdigest(), hashlib.md5(seed).hexdigest()
    record = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "md5": md5,
        "name": name,
        "sha256": sha256,
        "size": len(seed),
        "subdir": subdir,
        "version": version,
        **fields,
    }
    section = f"v3{extension}" if v3 else "packages.conda" if extension == ".conda" else "packages"
    return Artifact(
        sha256=sha256,
        md5=md5,
        size=len(seed),
        filename=filename,
        subdir=subdir,
        name=name,
        version=version,
        build=build,
        build_number=0,
        timestamp_ms=fields.get("timestamp", 0),
        section=section,
        record=canonical_json(record),
        run_exports=canonical_json(dict(run_exports or {})),
    )


@dataclass(frozen=True, slots=True)
class ViewSeen:
    """A published view as a client sees it."""

    number: int
    revision: int
    #: Document name → its parsed JSON; shards as {"index": info, "shards": name → decoded shard}.
    documents: dict[str, Any]
    raw: Documents = field(repr=False)

    def digests(self) -> dict[str, tuple[str, str] | str]:
        """Return what the ETags are made of."""
        return {
            name: (one.raw_digest, one.zst_digest) if isinstance(one, Paged) else one.place.sha256.hex()
            for name, one in self.raw.items()
        }

    def modified(self) -> dict[str, int]:
        """Return when each document last changed."""
        return {name: one.modified_ms for name, one in self.raw.items()}


class World:
    """One data directory, with one publisher."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        *,
        disk: Disk | None = None,
        clock: Any = None,
        page_size: PageSize = SMALL_PAGES,
        levels: Levels | None = None,
        recompress_pages: int = 0,
        helped_from: int | None = None,
        retention: Retention | None = None,
        holder: str | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        #: A ManualClock, unless another one is given.
        self.clock: Any = clock or ManualClock()
        self.disk = disk or QuickDisk()
        self.packs = Packs(folder / "packs", self.disk)
        self.tables = Tables(self.packs)
        self.assembly = Assembly(folder / "frames", self.packs, self.tables, self.disk)
        self.threads = ThreadPoolExecutor(2)
        self.engine = Engine(
            self.packs,
            self.tables,
            self.threads,
            page_size,
            levels or Levels(3, 3, 3),
            recompress_pages,
            helped_from,
        )
        self.publications: list[Publication] = []
        self.publisher = Publisher(
            database,
            self.engine,
            self.assembly,
            self.clock,
            holder=holder,
            on_publication=self.publications.append,
        )
        self.sweeper = Sweeper(
            database, self.packs, self.assembly, self.publisher.leadership, self.clock, retention
        )
        self.checker = Checker(database, self.packs, self.assembly)

    def close(self) -> None:
        self.threads.shutdown()
        self.packs.close()

    # changing the catalog

    def write(self, work: Callable[[Connection], T]) -> T:
        return self.database.write_now(work)

    @property
    def actor(self) -> Actor:
        return Actor("tester", "local", self.clock.now_ms())

    def make_channel(self, name: str = CHANNEL, **settings: Any) -> None:
        self.write(
            partial(channels.create, name=name, settings=ChannelSettings(**settings), actor=self.actor)
        )

    def upload(self, artifact: Artifact, *label_names: str, channel: str = CHANNEL) -> None:
        self.write(
            partial(
                files.add,
                channel_name=channel,
                artifact=artifact,
                label_names=label_names or ("main",),
                actor=self.actor,
            )
        )

    def label(self, artifact: Artifact, *label_names: str) -> None:
        self.write(lambda c: relabel(c, _selected(artifact), add=label_names, by=self.actor))

    def unlabel(self, artifact: Artifact, *label_names: str) -> None:
        self.write(lambda c: relabel(c, _selected(artifact), remove=label_names, by=self.actor))

    def delete(self, artifact: Artifact) -> None:
        self.write(
            lambda c: files.delete(
                c, CHANNEL, artifact.subdir, artifact.filename, self.actor, sha256=artifact.sha256
            )
        )

    def mark_whole(self, label: str = "main") -> None:
        def mark(connection: Connection) -> None:
            channel = channels.lock(connection, [CHANNEL])[CHANNEL]
            found = labels.get(connection, channel, label)
            revision = channels.next_revision(connection, channel)
            labels.mark_whole(connection, channel, found, revision, self.clock.now_ms())

        self.write(mark)

    def publish(self) -> list[Publication]:
        return self.publisher.publish_all()

    def rest(self) -> None:
        """Let everything be pressed ahead that is worth it."""
        while self.publisher.ahead.step():
            time.sleep(0.001)

    # looking at what is published

    def key(self, subdir: str = "linux-64", label: str = "main", channel: str = CHANNEL) -> ViewKey:
        def find(connection: Connection) -> ViewKey:
            found = channels.get(connection, channel)
            row = labels.get(connection, found, label)
            return ViewKey(found.id, row.id, subdir, channel, label, found.settings.kind == "standard")

        return self.database.read_now(find)

    def generation(
        self, subdir: str = "linux-64", label: str = "main", channel: str = CHANNEL
    ) -> views.Generation | None:
        key = self.key(subdir, label, channel)
        return self.database.read_now(partial(views.current, label_id=key.label_id, subdir=subdir))

    def raw(self, subdir: str = "linux-64", label: str = "main", channel: str = CHANNEL) -> Documents:
        found = self.generation(subdir, label, channel)
        return generation.decode(found.documents) if found is not None else {}

    def table(self, name: str, subdir: str = "linux-64", label: str = "main") -> PageTable:
        document = self.raw(subdir, label)[name]
        assert isinstance(document, Paged)
        return self.tables.get(document.table)

    def seen(self, subdir: str = "linux-64", label: str = "main", channel: str = CHANNEL) -> ViewSeen:
        """Read a view as a client does: every document is decoded in every form, and they agree."""
        found = self.generation(subdir, label, channel)
        assert found is not None, f"nothing is published of {channel}/{label}/{subdir}"
        documents = generation.decode(found.documents)
        channel_id = self.key(subdir, label, channel).channel_id
        parsed = {name: self._parsed(channel_id, name, document) for name, document in documents.items()}
        return ViewSeen(found.number, found.revision, parsed, documents)

    def _parsed(self, channel_id: int, name: str, document: Paged | Whole) -> Any:
        if isinstance(document, Paged):
            return orjson.loads(self.text(document))
        index = decode_shard_index(self.packs.read(document.place))
        found = {}
        for package_name, sha256 in index.shards.items():
            stored = self.database.read_now(partial(shard_rows.find, channel_id=channel_id, sha256=sha256))
            assert stored is not None, f"the shard of {package_name} is listed, but not known"
            data = self.packs.read(Place(stored.pack, stored.start, stored.size, sha256))
            assert hashlib.sha256(data).digest() == sha256
            found[package_name] = decode_shard(data)
        assert name == SHARDS
        return {"info": index.info, "shards": found}

    def text(self, document: Paged) -> bytes:
        """Return the text of a document, from its frame; the plain form and the promises must agree with it."""
        with self.assembly.open(document) as file:
            frame = file.read()
        check_frame(frame, document.raw_size)
        text = zstandard.ZstdDecompressor().decompress(frame)
        assert (len(text), len(frame)) == (document.raw_size, document.zst_size)
        assert b"".join(plain(self.packs, self.tables.get(document.table), 0, len(text))) == text
        return text

    def place_of_whole(self, name: str) -> Place:
        """Say where a document lies that is stored in one piece."""
        document = self.raw()[name]
        assert isinstance(document, Whole)
        return document.place

    def views(self) -> list[ViewKey]:
        """List every published view, the channel-level ones too."""
        return self.checker.views()

    def everything(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Read every published view: (label, subdir) → its documents."""
        return {
            (key.label, key.subdir): self.seen(key.subdir, key.label, key.channel).documents
            for key in self.views()
        }

    def names(self, subdir: str = "linux-64", label: str = "main") -> set[str]:
        """List the file names in repodata.json."""
        return shown_names(self.seen(subdir, label).documents["repodata.json"])

    def is_dirty(self) -> bool:
        return bool(self.database.read_now(views.dirty_channels))

    def check(self) -> None:
        """Let fsck look at everything: it must find nothing."""
        for key in self.views():
            assert self.checker.check(key).findings == (), key

    def temporary_files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.tmp"))


def shown_names(repodata: Mapping[str, Any]) -> set[str]:
    """List the file names of a repodata.json, of all sections."""
    v3 = repodata.get("v3", {})
    return {
        *repodata["packages"],
        *repodata["packages.conda"],
        *(f"{stem}.{extension}" for extension, records in v3.items() for stem in records),
    }


def _selected(artifact: Artifact) -> Selection:
    return Selection(subdir=artifact.subdir, filename=artifact.filename, sha256=artifact.sha256)


@contextmanager
def world_in(folder: Path, url: str, **options: Any) -> Iterator[World]:
    """Open a world, and close it in the end."""
    database = open_database(url)
    world = World(folder, database, **options)
    try:
        yield world
    finally:
        world.close()
        database.close()


def messages(caplog: Any, level: int = logging.ERROR) -> list[str]:
    """Return what was logged at a level or above."""
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def flip_bit(path: Path, offset: int) -> None:
    """Damage a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def damage(world: World, places: Collection[Place]) -> None:
    """Damage stored pieces, and have the world forget what it has in memory of them."""
    for place in places:
        flip_bit(world.packs.folder / f"{place.pack}.pack", place.start + place.size // 2)
    forget(world)


def forget(world: World) -> None:
    """Have nothing in memory, as after a restart."""
    world.packs.close()
    world.tables.clear()
    world.engine.shard_indexes.clear()


def damage_first_page(packs: Packs, tables: Tables, document: Paged) -> None:
    """Damage the first page of a document."""
    place = next(iter(tables.get(document.table).pages())).place
    flip_bit(packs.folder / f"{place.pack}.pack", place.start)
    packs.close()
