"""``channeld index``: a folder of packages becomes a static channel, which any web server can serve.

The packages stay where they are. What is known of them is remembered in ``.channeld/`` below the folder, so the next
run reads what is new or changed only. In this order, so that a run may stop anywhere and the next one goes on from
there:

1. list the folder and compare it with what is remembered;
2. read new and changed files in worker processes; commit what they say, some hundreds of files at a time;
3. forget files that are gone;
4. draw the documents of what changed, and put those in place that differ from what is there (see ``documents``).
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from channeld import __version__
from channeld.blobs.durable import disk_errors
from channeld.clock import Clock
from channeld.cold import DOCUMENTS, READ, STATE, TEMPLATES, ledger, state
from channeld.cold.channel import Channel
from channeld.cold.ledger import Changes, Ledger, Rules
from channeld.cold.progress import Progress
from channeld.cold.rejections import FolderBusy
from channeld.cold.report import Refused, Report
from channeld.cold.scan import scan
from channeld.cold.updating import Update
from channeld.cold.workers import Workers, load
from channeld.formats.archive.limits import Limits
from channeld.formats.names import Naming


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What a run is asked to do."""

    #: Only these; every one where none is named.
    subdirs: tuple[str, ...] = ()
    #: For the titles of index.html and rss.xml; the folder's name where it is not given.
    channel_name: str = ""
    naming: Naming = Naming.LEGACY
    shards: bool = True
    limits: Limits = field(default_factory=Limits)


def index_folder(
    folder: Path, options: IndexOptions, workers: Workers, clock: Clock, progress: Progress
) -> Report:
    """Bring the index of a channel folder up to date.

    Raises:
        Rejected: there is no such folder or subdir, or another process is at work in it.
        Unavailable: the disk does not work; what was done so far is kept.
        KeyboardInterrupt: likewise.
    """
    folder = folder.absolute()
    run = _Run(folder, options, clock.now_ms())
    with _locked(folder) as lock:
        try:
            return run.go(workers, lock, progress)
        except state.StateDamaged:
            workers.close()  # what they are still at belongs to a run that is over
            state.forget(run.state_file)
            return _Run(folder, options, clock.now_ms()).go(workers, lock, progress)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Keep other processes out of the folder's state, which is made when it is not there; yields the descriptor."""
    with disk_errors(folder / STATE):
        (folder / STATE).mkdir(exist_ok=True)
        file = (folder / STATE / "lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy(str(folder)) from None
        yield file.fileno()


@contextmanager
def _loading_documents() -> Iterator[None]:
    """Load what draws documents, on a thread: it takes a third of a second, in which workers read."""

    def work() -> None:
        load(DOCUMENTS)
        load(TEMPLATES)()

    loading = Thread(target=work)
    loading.start()
    try:
        yield
    finally:
        loading.join()


class _Run:
    """One run over a folder."""

    def __init__(self, folder: Path, options: IndexOptions, now_ms: int) -> None:
        self.state_file = folder / STATE / state.FILE
        self._listing = scan(folder, options.subdirs)
        self._options = options
        self._now_ms = now_ms
        self._rules = Rules(options.naming.value, __version__)
        self._report = Report()

    def go(self, workers: Workers, lock: int, progress: Progress) -> Report:
        """Do all that is to be done, under the lock with that descriptor."""
        if not state.is_there(self.state_file):
            state.create(self.state_file)
        known, changes = self._compare()
        load(READ if changes.count else DOCUMENTS)  # for processes that are forked to have it
        workers.start(without=[lock])  # now that no connection is open
        with state.opened(self.state_file) as connection:
            self._update(connection, known, changes, workers, progress)
            self._draw(connection, workers)
        return self._report

    def _compare(self) -> tuple[Ledger, Changes]:
        with state.opened(self.state_file) as connection:
            known = ledger.load(connection)
        changes = ledger.compare(self._listing, known, self._rules, all_subdirs=not self._options.subdirs)
        self._report.unchanged = changes.unchanged
        self._report.refused = [Refused(*one) for one in changes.still_refused]
        return known, changes

    def _update(
        self,
        connection: sqlite3.Connection,
        known: Ledger,
        changes: Changes,
        workers: Workers,
        progress: Progress,
    ) -> None:
        update = Update(connection, self._listing, self._rules, self._now_ms, self._report)
        judged_by = self._options.naming, self._options.limits
        with _loading_documents() if changes.count else nullcontext():
            update.read(changes, known, judged_by, workers, progress)
        update.drop(changes.gone)

    def _draw(self, connection: sqlite3.Connection, workers: Workers) -> None:
        from channeld.cold.documents import FolderDocuments  # noqa: PLC0415 - see _loading_documents

        options, folder = self._options, self._listing.path
        title = options.channel_name or folder.name
        channel = Channel(folder, self.state_file, title, options.shards, self._now_ms)
        self._report.written = FolderDocuments(channel, self._listing, connection).write(workers)
