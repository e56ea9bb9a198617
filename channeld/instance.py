"""One channeld: a data directory and a catalog, opened, with everything that works on them.

    <data_dir>/catalog.sqlite   the catalog, unless a database_url is set     must not be lost
    <data_dir>/blobs/           artifacts by their sha256                    must not be lost
    <data_dir>/packs/           pages, page tables, shards                   can be derived from the two above
    <data_dir>/frames/          assembled repodata.json.zst and the like     a cache of one run

The edges (``web``, ``cli``) open an instance and close it; nothing below knows where things lie.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from channeld.blobs.durable import Disk, disk_errors
from channeld.blobs.local import Digests, LocalBlobs
from channeld.catalog import schema
from channeld.catalog.copies import Copy
from channeld.catalog.database import Database, open_database
from channeld.catalog.files import Artifact
from channeld.clock import Clock
from channeld.formats.names import FileName, Naming
from channeld.indexing.assembly import Assembly
from channeld.indexing.errands import MANY
from channeld.indexing.packs import Packs
from channeld.indexing.paging import PageSize
from channeld.indexing.press import Levels
from channeld.indexing.publisher import Publication, Publisher
from channeld.indexing.refresh import Refresher
from channeld.indexing.render import Engine
from channeld.indexing.sweeping import Retention, Sweeper
from channeld.indexing.tables import Tables
from channeld.intake.ingest import Intake, archive_limits
from channeld.intake.inspection import inspect
from channeld.jobs import cores
from channeld.promotion.applying import Requests
from channeld.promotion.checking import Checker
from channeld.promotion.copies import Copies
from channeld.promotion.registry import OutputRegistry
from channeld.settings import Settings

#: Milliseconds that a page of 512 records takes at levels 16 and 10, measured on one core.
_SETTLED_MS = 43
_HURRIED_MS = 5


@dataclass(frozen=True, slots=True)
class Instance:
    """The parts, each usable on its own."""

    settings: Settings
    clock: Clock
    database: Database
    blobs: LocalBlobs
    packs: Packs
    tables: Tables
    assembly: Assembly
    publisher: Publisher
    sweeper: Sweeper
    refresher: Refresher
    intake: Intake
    copies: Copies
    requests: Requests
    threads: ThreadPoolExecutor

    def close(self) -> None:
        """Finish what is under way and let go of everything."""
        self.intake.close()
        self.copies.close()
        self.requests.close()
        self.publisher.leadership.release()
        self.threads.shutdown(wait=True)
        self.database.close()
        self.packs.close()


def database_url(settings: Settings) -> str:
    """Return the URL of the catalog: the configured one, or SQLite's in the data directory."""
    if settings.storage.database_url:
        return settings.storage.database_url
    return f"sqlite:///{(settings.storage.data_dir / 'catalog.sqlite').absolute()}"


def levels(settings: Settings) -> Levels:
    """Work out how many pages each zstd level may compress within the budget of one generation, on all cores."""
    index = settings.index
    budget = index.render_budget_ms * cores()
    return Levels(
        index.level_settled,
        index.level_hurried,
        index.level_rushed,
        settled_pages=round(budget / _SETTLED_MS),
        middle_pages=round(budget / _HURRIED_MS),
    )


def retention(settings: Settings) -> Retention:
    """Say for how long what is not current is kept."""
    index = settings.index
    return Retention(index.keep_generations_seconds, index.keep_shards_seconds)


def open_instance(
    settings: Settings,
    clock: Clock,
    *,
    disk: Disk | None = None,
    on_publication: Callable[[Publication], None] = lambda publication: None,
    on_copy: Callable[[Copy], None] = lambda copy: None,
) -> Instance:
    """Open a data directory, making what is missing and bringing the catalog's tables up to date.

    Raises:
        Unavailable: the disk or the database does not work.
        Rejected: the catalog belongs to a newer channeld.
    """
    disk = disk or Disk()
    root: Path = settings.storage.data_dir.absolute()
    with disk_errors(root):
        disk.make_folder(root)
    database = open_database(database_url(settings))
    schema.upgrade(database)
    blobs = LocalBlobs(root / "blobs", disk, settings.storage.reserve_bytes)
    packs = Packs(root / "packs", disk)
    tables = Tables(packs)
    assembly = Assembly(root / "frames", packs, tables, disk)
    threads = ThreadPoolExecutor(cores(), thread_name_prefix="press")
    engine = Engine(
        packs,
        tables,
        threads,
        PageSize.of(settings.index.page_records),
        levels(settings),
        settings.index.recompress_pages,
        helped_from=MANY if cores() > 1 else None,
    )
    publisher = Publisher(database, engine, assembly, clock, on_publication=on_publication)
    sweeper = Sweeper(database, packs, assembly, publisher.leadership, clock, retention(settings))
    refresher = Refresher(database, engine, clock)
    intake = Intake(database, blobs, settings, clock)
    checker = _checker(settings, blobs, clock)
    return Instance(
        settings,
        clock,
        database,
        blobs,
        packs,
        tables,
        assembly,
        publisher,
        sweeper,
        refresher,
        intake,
        Copies(database, OutputRegistry(), checker, clock, on_copy),
        Requests(database, checker),
        threads,
    )


def _checker(settings: Settings, blobs: LocalBlobs, clock: Clock) -> Checker:
    """Make what checks stored bytes once more: as uploads are inspected."""
    limits = archive_limits(settings)

    def examine(file: BinaryIO, filename: FileName, digests: Digests, naming: Naming) -> Artifact:
        return inspect(file, filename, digests, naming=naming, limits=limits, now_ms=clock.now_ms())

    return Checker(blobs, examine)
