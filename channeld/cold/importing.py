"""``channeld import``: a channel folder, with its packages, into a channel of an instance.

The bytes go into the artifact store, the files into the catalog, some hundreds at a time: bytes before rows, two waits
for the disk to a batch. The same again changes nothing, so an import that was stopped is simply run again. What is
wrong with one file (it breaks a rule, or the channel holds other bytes under its name) is an outcome, and the others go
on. In the end the channel is published, unless a running server's indexer does that anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from channeld.blobs.batches import BlobBatch, Kept
from channeld.blobs.local import Digests
from channeld.catalog import bulk, channels, labels, leases
from channeld.catalog.audit import Actor
from channeld.catalog.bulk import Arrival, Landing, Marking
from channeld.catalog.channels import MAIN
from channeld.cold.batching import Batches
from channeld.cold.jobs import jobs
from channeld.cold.progress import Progress
from channeld.cold.reading import Done, Read, ReadFiles
from channeld.cold.refusal import Refusal
from channeld.cold.report import Refused, Report
from channeld.cold.scan import ChannelFolder, Seen, scan
from channeld.cold.seeding import Seeds, import_time
from channeld.cold.workers import Workers
from channeld.errors import Rejected
from channeld.formats.names import Naming
from channeld.indexing.leadership import NotTheIndexer
from channeld.instance import Instance
from channeld.intake.ingest import archive_limits

#: So many files or fewer are marked one by one: their pages are edited, and no view is made anew.
_EACH_UP_TO = 2000


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an import is asked to do."""

    labels: tuple[str, ...] = (MAIN,)
    subdirs: tuple[str, ...] = ()
    #: Hard links instead of copies. Whoever changes a file of the folder in place then damages the channel.
    linked: bool = False


class Importer:
    """Imports folders into the channels of one instance. Make it before the instance: its workers fork."""

    def __init__(self, processes: int) -> None:
        self._workers = Workers(processes)
        self._workers.start()

    def close(self) -> None:
        """End the worker processes."""
        self._workers.close()

    def run(
        self, instance: Instance, channel: str, folder: Path, options: ImportOptions, progress: Progress
    ) -> Report:
        """Import a folder.

        Raises:
            Rejected: there is no such channel, folder or subdir, or a label takes no change; nothing was imported.
            Unavailable: disk or database; what was done so far is kept.
            KeyboardInterrupt: likewise.
        """
        listing = scan(folder.absolute(), options.subdirs)
        instance.blobs.check_writable()
        run = _Import(instance, channel, listing, options)
        run.read(self._workers, progress)
        run.publish()
        return run.report


class _Import:
    """One import."""

    def __init__(
        self, instance: Instance, channel: str, listing: ChannelFolder, options: ImportOptions
    ) -> None:
        self.report = Report()
        self._instance = instance
        self._channel = channel
        self._listing = listing
        self._options = options
        self._now_ms = instance.clock.now_ms()
        self._actor = Actor("channeld import", "local", self._now_ms, f"from {listing.path}")
        self._seeds = {subdir: Seeds.read(listing.path / subdir) for subdir in listing.subdirs}
        self._naming = instance.database.read_now(self._check)
        few = listing.count <= _EACH_UP_TO or self._holder() != ""
        # a running server renders while this goes on: made anew with every batch, a view would be made very often
        self._marking = Marking.EACH if few else Marking.WHOLE

    def _check(self, connection: Connection) -> Naming:
        """Find out early what would be refused late; returns the rules for names."""
        channel = channels.get(connection, self._channel)
        labels.check_open(connection, channel, self._options.labels)
        return Naming.LEGACY if channel.settings.legacy == "allow" else Naming.STRICT

    def _holder(self) -> str:
        """Name whoever holds the indexer's lease; "" when it is free."""
        lease = self._instance.database.read_now(lambda connection: leases.find(connection, leases.INDEXER))
        return lease.holder if lease is not None and lease.expires_ms > self._instance.clock.now_ms() else ""

    def read(self, workers: Workers, progress: Progress) -> None:
        """Read files, and store them as they come."""
        progress.begin("Imported", self._listing.count, self._listing.size)
        waiting = {subdir: list(files.items()) for subdir, files in self._listing.subdirs.items()}
        batches = Batches(self._store)
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
        instance = self._instance
        return ReadFiles(
            str(self._listing.path / subdir),
            subdir,
            files,
            self._naming,
            archive_limits(instance.settings),
            self._now_ms,
            incoming=str(instance.blobs.incoming),
            linked=self._options.linked,
        )

    def _store(self, reads: list[Read]) -> None:
        """Make the bytes durable, then add the rows, in one transaction."""
        taken = [(one, one.artifact) for one in reads if one.artifact is not None]
        kept = [Kept(Path(one.kept), Digests(a.sha256, a.md5, a.size)) for one, a in taken]
        batch = BlobBatch(self._instance.blobs, kept)
        try:
            batch.store()
            arrivals = [
                Arrival(a, import_time(self._seeds[one.subdir], a, one.seen, self._now_ms))
                for one, a in taken
            ]
            landings = self._instance.database.write_now(partial(self._add, arrivals=arrivals))
            batch.settle()
        except BaseException:
            batch.discard()
            raise
        self._count((one for one, _ in taken), landings)
        for one in reads:
            if one.refusal is not None:
                self.report.refused.append(Refused(one.subdir, one.filename, one.refusal))

    def _add(self, connection: Connection, arrivals: list[Arrival]) -> list[Landing]:
        return bulk.add_many(
            connection, self._channel, arrivals, self._options.labels, self._actor, self._marking
        )

    def _count(self, reads: Iterable[Read], landings: Iterable[Landing]) -> None:
        report = self.report
        for one, landing in zip(reads, landings, strict=True):
            if isinstance(landing, Rejected):
                report.refused.append(Refused(one.subdir, one.filename, Refusal.of(landing)))
            elif landing == "created":
                report.added += 1
            elif landing == "unchanged":
                report.unchanged += 1
            else:
                report.changed += 1

    def publish(self) -> None:
        """Publish what is dirty, or leave it to whoever holds the lease."""
        publisher = self._instance.publisher
        try:
            publisher.publish_all()
            publisher.leadership.release()
        except NotTheIndexer as error:
            self.report.left_to = error.holder or "another process"
