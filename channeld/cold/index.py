"""``channeld index``: a folder of packages becomes a static channel, which any web server can serve.

The packages stay where they are. What is known of them lies in ``.channeld/`` below the folder: a catalog of its own
with one channel, the packs of the index engine, and a ledger of the files that were read; so the next run reads what is
new or changed only. In this order, so that a run may stop anywhere and the next one goes on from there:

1. list the folder and compare with the ledger;
2. read new and changed files in worker processes; commit catalog and ledger together, some hundreds of files at a time;
3. take files that are gone out of the catalog;
4. publish, as a server does;
5. write the documents that differ from those that were written before (see ``documents``).

The channel is a staging channel to the catalog: there a file name may get other bytes. It is the operator's folder.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from channeld import __version__
from channeld.catalog import bulk, channels, leases
from channeld.catalog.audit import Actor
from channeld.catalog.bulk import Arrival, Marking
from channeld.catalog.channels import MAIN, ChannelSettings
from channeld.catalog.files import Artifact
from channeld.clock import Clock
from channeld.cold import ledger
from channeld.cold.batching import BATCH, Batches, jobs
from channeld.cold.documents import FolderDocuments
from channeld.cold.ledger import Changes, Rules
from channeld.cold.progress import Progress
from channeld.cold.publishing import publish, publish_anew
from channeld.cold.reading import Done, Read, ReadFiles
from channeld.cold.rejections import FolderBusy
from channeld.cold.report import Refused, Report
from channeld.cold.scan import ChannelFolder, Seen, scan
from channeld.cold.seeding import Seeds
from channeld.cold.workers import Workers
from channeld.formats.archive.limits import Limits
from channeld.formats.names import Naming
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.publisher import ChannelStuck
from channeld.instance import Instance, open_instance
from channeld.settings import Settings
from channeld.settings.sections import Index, Storage

#: Below the channel's folder.
STATE: Final = ".channeld"
CHANNEL: Final = "folder"
#: So many packages are read sooner than processes are started.
_ALONE: Final = 24
#: More changes than one file in so many, and the whole index is rendered anew.
_WHOLE_FROM: Final = 8


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What a run is asked to do."""

    #: Only these; every one where none is named.
    subdirs: tuple[str, ...] = ()
    #: For the titles of index.html and rss.xml; the folder's name where it is not given.
    channel_name: str = ""
    naming: Naming = Naming.LEGACY
    shards: bool = True
    processes: int = 1
    limits: Limits = field(default_factory=Limits)


def index_folder(folder: Path, options: IndexOptions, clock: Clock, progress: Progress) -> Report:
    """Bring the index of a channel folder up to date.

    Raises:
        Rejected: there is no such folder or subdir, or another process is at work in it.
        Unavailable: the disk does not work; what was done so far is kept.
        KeyboardInterrupt: likewise.
    """
    folder = folder.absolute()
    now_ms = clock.now_ms()
    listing = scan(folder, options.subdirs)
    with ExitStack() as stack:
        processes = options.processes if listing.count > _ALONE else 0
        workers = Workers(processes)
        stack.callback(workers.close)
        stack.enter_context(_locked(folder))
        instance = stack.enter_context(_opened(folder / STATE, clock))
        run = _Run(instance, listing, options, now_ms)
        run.read(workers, progress)
        run.drop()
        title = options.channel_name or folder.name
        documents = FolderDocuments(instance, folder, CHANNEL, title, shards=options.shards)
        run.report.written = _publish(instance, documents, listing, workers, now_ms)
        return run.report


def _publish(
    instance: Instance, documents: FolderDocuments, listing: ChannelFolder, workers: Workers, now_ms: int
) -> int:
    """Publish, and write the documents; once more from the catalog alone when the packs are damaged or gone."""
    try:
        try:
            publish(instance)
            return documents.write(listing.subdirs, listing.every, workers, now_ms)
        except (PieceDamaged, ChannelStuck):
            publish_anew(instance, CHANNEL)
            return documents.write(listing.subdirs, listing.every, workers, now_ms)
    finally:
        instance.publisher.leadership.release()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder's state, which is made when it is not there."""
    state = folder / STATE
    state.mkdir(exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy(str(folder)) from None
        for left in state.rglob("*.tmp"):  # by a run that was killed
            left.unlink(missing_ok=True)
        yield


@contextmanager
def _opened(state: Path, clock: Clock) -> Iterator[Instance]:
    # pages are pressed once and downloaded often: never at the quickest level
    levels = Index(level_rushed=Index().level_hurried)
    instance = open_instance(Settings(storage=Storage(data_dir=state), index=levels), clock)
    try:
        instance.database.write_now(partial(_prepare, now_ms=clock.now_ms()))
        yield instance
    finally:
        instance.close()


def _prepare(connection: Connection, now_ms: int) -> None:
    ledger.create_tables(connection)
    lease = leases.find(connection, leases.INDEXER)
    if lease is not None:
        leases.release(
            connection, lease
        )  # of a run that was killed: whoever has the folder's lock is alone here
    channels.create(connection, CHANNEL, ChannelSettings(kind="staging"), _actor(now_ms))


def _actor(now_ms: int) -> Actor:
    return Actor("channeld index", "local", now_ms)


class _Run:
    """One run over a folder."""

    def __init__(
        self, instance: Instance, listing: ChannelFolder, options: IndexOptions, now_ms: int
    ) -> None:
        self.report = Report()
        self._instance = instance
        self._listing = listing
        self._options = options
        self._now_ms = now_ms
        self._rules = Rules(options.naming.value, __version__)
        self._seeds: dict[str, Seeds] = {}
        self._changes = self._compare()
        total = sum(map(len, self._changes.read.values())) + sum(map(len, self._changes.gone.values()))
        self._marking = Marking.WHOLE if total * _WHOLE_FROM > listing.count else Marking.EACH

    def _compare(self) -> Changes:
        """Compare the folder with what was read of it before."""
        known = self._instance.database.read_now(ledger.load)
        for subdir in self._listing.subdirs.keys() - known.keys():
            self._seeds[subdir] = Seeds.read(self._listing.path / subdir)
        found = ledger.compare(self._listing, known, self._rules, all_subdirs=not self._options.subdirs)
        self.report.unchanged = found.unchanged
        self.report.refused = [Refused(*one) for one in found.still_refused]
        return found

    def read(self, workers: Workers, progress: Progress) -> None:
        """Read new and changed files, and commit them as they come."""
        waiting = {
            subdir: [(name, self._listing.subdirs[subdir][name]) for name in names]
            for subdir, names in self._changes.read.items()
        }
        size = sum(seen.size for files in waiting.values() for _, seen in files)
        progress.begin("Read", sum(map(len, waiting.values())), size)
        batches = Batches(self._commit)
        try:
            for job, results in workers.run(self._job(*one) for one in jobs(waiting)):
                batches.take(Done(job, results).reads())
                done = sum(seen.size for _, seen in job.files)
                self.report.size += done
                progress.advance(len(job.files), done)
        finally:
            batches.close()
            progress.end()

    def _job(self, subdir: str, files: tuple[tuple[str, Seen], ...]) -> ReadFiles:
        options = self._options
        folder = str(self._listing.path / subdir)
        return ReadFiles(folder, subdir, files, options.naming, options.limits, self._now_ms)

    def _commit(self, reads: list[Read]) -> None:
        """Bring the catalog and the ledger to what was read, in one transaction."""
        replaced = self._instance.database.write_now(partial(self._store, reads=reads))
        self.report.replaced += replaced
        self.report.added += sum(one.artifact is not None for one in reads) - len(replaced)
        self.report.refused += [
            Refused(one.subdir, one.filename, one.refusal) for one in reads if one.refusal is not None
        ]

    def _store(self, connection: Connection, reads: list[Read]) -> list[str]:
        actor = _actor(self._now_ms)
        arrivals = [Arrival(one.artifact, self._time_of(one.artifact)) for one in reads if one.artifact]
        bulk.add_many(connection, CHANNEL, arrivals, [MAIN], actor, self._marking)
        replaced = self._replace(connection, actor, reads)
        rows = [(one.subdir, one.filename, one.seen, one.refusal) for one in reads]
        ledger.remember(connection, rows, self._rules, self._now_ms * 1_000_000)
        return replaced

    def _time_of(self, artifact: Artifact) -> int | None:
        seeds = self._seeds.get(artifact.subdir)
        return seeds.time_of(artifact, self._now_ms) if seeds else None

    def _replace(self, connection: Connection, actor: Actor, reads: list[Read]) -> list[str]:
        """Delete what had the name of a changed file; return the names of those that are there with other bytes."""
        now: dict[str, dict[str, Read]] = {}
        for one in reads:
            if (one.subdir, one.filename) in self._changes.changed:
                now.setdefault(one.subdir, {})[one.filename] = one
        old = []
        for subdir, files in now.items():
            channel = channels.get(connection, CHANNEL)
            for live in bulk.live_files(connection, channel, subdir, list(files)):
                artifact = files[live.filename].artifact
                if artifact is None or artifact.sha256 != live.sha256:
                    old.append(live)
        bulk.delete_many(connection, CHANNEL, old, actor, self._marking)
        return [f"{live.subdir}/{live.filename}" for live in old if now[live.subdir][live.filename].artifact]

    def drop(self) -> None:
        """Take out of the index what is gone from the folder."""
        for subdir, filenames in self._changes.gone.items():
            for start in range(0, len(filenames), BATCH):
                chunk = filenames[start : start + BATCH]
                self._instance.database.write_now(partial(self._drop, subdir=subdir, filenames=chunk))

    def _drop(self, connection: Connection, subdir: str, filenames: list[str]) -> None:
        channel = channels.get(connection, CHANNEL)
        gone = bulk.live_files(connection, channel, subdir, filenames)
        bulk.delete_many(connection, CHANNEL, gone, _actor(self._now_ms), self._marking)
        ledger.forget(connection, subdir, filenames)
        self.report.removed += len(gone)
