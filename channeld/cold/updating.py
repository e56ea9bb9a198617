"""Bringing what is remembered of a folder's packages up to date: what was read goes in, what is gone goes out.

What is known of a file and what the index says of it change in one transaction. So a run may be killed anywhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from channeld.cold import READ, drawn, ledger, packages
from channeld.cold.jobs import jobs
from channeld.cold.ledger import Changes, Ledger, Rules
from channeld.cold.packages import Package
from channeld.cold.progress import Progress
from channeld.cold.refusal import Refusal
from channeld.cold.report import Refused, Report
from channeld.cold.scan import ChannelFolder, Seen
from channeld.cold.seeding import Listed, Seeds
from channeld.cold.state import transaction
from channeld.cold.workers import Call, Workers
from channeld.formats.archive.limits import Limits
from channeld.formats.names import Naming

#: Files in one transaction.
_BATCH: Final = 500

#: Subdir, name, what was seen, and what became of a file.
_Outcome = tuple[str, str, Seen, Refusal | tuple[Any, ...]]


class Update:
    """One run's changes of the packages."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        listing: ChannelFolder,
        rules: Rules,
        now_ms: int,
        report: Report,
    ) -> None:
        self._connection = connection
        self._listing = listing
        self._rules = rules
        self._now_ms = now_ms
        self._report = report
        self._changed: frozenset[tuple[str, str]] = frozenset()

    def read(
        self,
        changes: Changes,
        known: Ledger,
        judged_by: tuple[Naming, Limits],
        workers: Workers,
        progress: Progress,
    ) -> None:
        """Read new and changed files, and commit what they say as it comes."""
        self._changed = changes.changed
        waiting = {
            subdir: [(name, self._listing.subdirs[subdir][name]) for name in names]
            for subdir, names in changes.read.items()
        }
        progress.begin(
            "Read", changes.count, sum(seen.size for files in waiting.values() for _, seen in files)
        )
        outcomes: list[_Outcome] = []
        try:
            for job, rows in workers.run(self._jobs(waiting, known, judged_by)):
                subdir, files = job.arguments[1:3]
                outcomes += [(subdir, *file, row) for file, row in zip(files, rows, strict=True)]
                size = sum(seen.size for _, seen in files)
                self._report.size += size
                progress.advance(len(files), size)
                if len(outcomes) >= _BATCH:
                    self._commit(outcomes)
                    outcomes = []
        finally:
            self._commit(outcomes)
            progress.end()

    def _jobs(
        self,
        waiting: Mapping[str, Sequence[tuple[str, Seen]]],
        known: Ledger,
        judged_by: tuple[Naming, Limits],
    ) -> Iterator[Call]:
        times: dict[str, Mapping[str, Listed]] = {}
        for subdir, files in jobs(waiting):
            if subdir not in times:
                times[subdir] = self._times(subdir, is_new=subdir not in known)
            listed = {name: found for name, _ in files if (found := times[subdir].get(name))}
            folder = str(self._listing.path / subdir)
            yield Call(READ, (folder, subdir, files, *judged_by, self._now_ms, listed))

    def _times(self, subdir: str, *, is_new: bool) -> Mapping[str, Listed]:
        """Return what is known of when bytes came in first, by file name."""
        found = packages.times(self._connection, subdir)
        for name in (name for where, name in self._changed if where == subdir):
            package = packages.find(self._connection, subdir, name)
            if package is not None:
                found.setdefault(name, {})[package.sha256] = package.indexed_ms
        return {**Seeds.read(self._listing.path / subdir).listed, **found} if is_new else found

    def _commit(self, outcomes: Sequence[_Outcome]) -> None:
        with transaction(self._connection):
            for subdir, group in groupby(sorted(outcomes, key=itemgetter(0, 1)), key=itemgetter(0)):
                self._store(subdir, list(group))

    def _store(self, subdir: str, outcomes: Sequence[_Outcome]) -> None:
        """Bring one subdir to what was read of some files."""
        refused = [
            Refused(subdir, name, found) for _, name, _, found in outcomes if isinstance(found, Refusal)
        ]
        read = [
            (name, seen, found if isinstance(found, Refusal) else None) for _, name, seen, found in outcomes
        ]
        ledger.remember(self._connection, subdir, read, self._rules, self._now_ms * 1_000_000)
        new = [
            found
            for _, name, _, found in outcomes
            if not isinstance(found, Refusal) and (subdir, name) not in self._changed
        ]
        packages.add(self._connection, new)
        changes = len(new)
        self._report.added += len(new)
        self._report.refused += refused
        for _, name, _, found in outcomes:
            if (subdir, name) in self._changed:
                package = None if isinstance(found, Refusal) else Package._make(found)
                changes += self._replace(subdir, name, package)
        if changes:
            drawn.note_change(self._connection, subdir, self._now_ms)

    def _replace(self, subdir: str, name: str, package: Package | None) -> bool:
        """Put a package in the place of what a file was before; None for one that is refused now."""
        old = packages.find(self._connection, subdir, name)
        if package is not None:
            if old is None:
                self._report.added += 1
            elif old.sha256 == package.sha256:
                self._report.unchanged += 1
            else:
                self._report.replaced.append(f"{subdir}/{name}")
        if old == package:
            return False
        if old is not None:
            packages.remove(self._connection, old)
        if package is not None:
            packages.add(self._connection, [package])
        return True

    def drop(self, gone: Mapping[str, Sequence[str]]) -> None:
        """Forget files that are gone from the folder."""
        for subdir, filenames in gone.items():
            for start in range(0, len(filenames), _BATCH):
                with transaction(self._connection):
                    self._drop(subdir, filenames[start : start + _BATCH])

    def _drop(self, subdir: str, filenames: Sequence[str]) -> None:
        found = [packages.find(self._connection, subdir, name) for name in filenames]
        removed = [package for package in found if package is not None]
        for package in removed:
            packages.remove(self._connection, package)
        ledger.forget(self._connection, subdir, filenames)
        self._report.removed += len(removed)
        if removed:
            drawn.note_change(self._connection, subdir, self._now_ms)
