"""Verifying the audit: every row against its seal, every seal against the one before, the end against a noted head.

Rows and seals are read page by page, each page in a snapshot of its own, so the server may go on running and memory
does not grow with the audit. What cannot be told without a noted head: that the end of the chain was cut off, with or
without its rows, or that somebody who may write to the database changed rows and sealed them anew. Rows that are not
sealed yet, those of the last second, nothing vouches for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import chainrows, sealing
from channeld.catalog.chain import Entry, Head, Noted, Seal
from channeld.catalog.chainlinks import Links
from channeld.catalog.database import Database
from channeld.catalog.tampering import Finding, Rule, without

#: Seals of a page.
_SEALS: Final = 64

#: Called with a finding as soon as it is made.
OnFinding = Callable[[Finding], None]
#: Called with the id of the row that has been reached, and that of the last one.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification came to."""

    #: Seals that were looked at, and rows that are as they were sealed.
    seals: int
    rows: int
    #: Where the chain ends.
    head: Head
    #: Rows behind the last seal.
    waiting: int
    findings: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(
    database: Database,
    noted: Noted | None,
    on_finding: OnFinding,
    progress: Progress = lambda _done, _total: None,
    *,
    seals_at_once: int = _SEALS,
) -> Verified:
    """Verify a catalog's audit, with a head that was noted earlier or without one.

    Raises:
        CatalogUnavailable: the database does not work.
    """
    verifier = _Verifier(noted, on_finding, seals_at_once)
    total = database.read_now(sealing.newest_id)
    while database.read_now(verifier.page):
        progress(verifier.done, total)
    waiting = database.read_now(lambda connection: sealing.rows_behind(connection, verifier.end))
    return verifier.finish(waiting)


class _Verifier:
    def __init__(self, noted: Noted | None, on_finding: OnFinding, seals_at_once: int) -> None:
        self._noted = noted
        self._links = Links(noted)
        self._tell = on_finding
        self._seals_at_once = seals_at_once
        self._findings = 0
        self._runs = _Runs(self._found)
        self._seals = 0
        self._rows = 0
        self._after_seal: int | None = None
        #: The last row that was compared with its seal; None before the first.
        self._compared: int | None = None

    @property
    def done(self) -> int:
        return self._after_seal or 0

    @property
    def end(self) -> Head:
        return self._links.end

    def page(self, connection: Connection) -> bool:
        """Verify the next seals and their rows; False when there are no more."""
        found = chainrows.seals(connection, self._after_seal, self._seals_at_once + 1)
        mine = found[: self._seals_at_once]
        if not mine:
            return False
        with closing(chainrows.hashed(connection, self._compared, mine[-1].last_id)) as rows:
            ahead = _Ahead(rows)
            for seal, following in zip(mine, [*found[1:], None], strict=False):
                self._follow(seal, following, ahead)
        self._after_seal = mine[-1].last_id
        self._seals += len(mine)
        return True

    def _follow(self, seal: Seal, following: Seal | None, rows: _Ahead) -> None:
        link = self._links.follow(seal, following)
        if link.finding is not None:
            self._runs.end()
            self._found(link.finding)
        if link.entries is not None:
            self._compare(link.entries, rows, seal.first_id, seal.last_id)

    def _compare(self, entries: list[Entry], rows: _Ahead, first_id: int, last_id: int) -> None:
        """Compare the rows of a seal with what it says of them."""
        for row in rows.below(first_id):
            # between two seals there is no room; what lies there belongs to one that is missing or was changed
            if row.id <= (self._compared or 0):
                self._runs.add("row_added", row.id)
        for entry in entries:
            for row in rows.below(entry.id):
                self._runs.add("row_added", row.id)
            row_there = rows.take(entry.id)
            if row_there == entry:
                self._rows += 1
                self._runs.end()
            else:
                self._runs.add("row_missing" if row_there is None else "row_altered", entry.id)
        self._compared = last_id

    def finish(self, waiting: int) -> Verified:
        """Tell the rest."""
        self._runs.end()
        if self._noted is not None and not self._links.met:
            self._found(without(self._noted, self._links.end))
        return Verified(self._seals, self._rows, self._links.end, waiting, self._findings)

    def _found(self, finding: Finding) -> None:
        self._findings += 1
        self._tell(finding)


class _Ahead:
    """Rows in the order of their ids, of which the next one may be looked at."""

    def __init__(self, rows: Iterator[Entry]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def below(self, row_id: int) -> Iterator[Entry]:
        """Yield the rows before an id."""
        while self._next is not None and self._next.id < row_id:
            yield self._next
            self._next = next(self._rows, None)

    def take(self, row_id: int) -> Entry | None:
        """Return the row of that id, if it is the next one."""
        found = self._next if self._next is not None and self._next.id == row_id else None
        if found is not None:
            self._next = next(self._rows, None)
        return found


class _Runs:
    """Joins what is wrong with neighbouring rows in the same way into one finding."""

    def __init__(self, on_finding: OnFinding) -> None:
        self._tell = on_finding
        self._run: Finding | None = None

    def add(self, rule: Rule, row_id: int) -> None:
        """Note a row that is wrong."""
        run = self._run
        if run is not None and run.rule != rule:
            self.end()
        first_id = row_id if self._run is None else self._run.first_id
        self._run = Finding(rule, first_id, row_id)

    def end(self) -> None:
        """Note that the next row is not wrong, or not in the same way."""
        if self._run is not None:
            self._tell(self._run)
            self._run = None
