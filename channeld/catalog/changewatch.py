"""Has the catalog changed since? One cheap question, asked before anything that was read earlier is used again.

SQLite answers it from shared memory: ``PRAGMA data_version`` differs whenever another connection has committed, in
this process or another. It takes 4 µs and never waits, so the event loop may ask it on every request. PostgreSQL has
no such thing at hand; there a thread looks at the server's snapshot several times a second, so what is kept in memory
is at most that old.

Whoever keeps something asks first and reads second; then a commit in between shows as a change.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from itertools import count
from typing import Final, Protocol

import sqlalchemy as sa

from channeld.catalog.database import Database

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05


class ChangeWatch(Protocol):
    """Tells versions of the catalog apart."""

    def version(self) -> str:
        """Return a text that differs from an earlier one if anything was committed in between."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def watch(database: Database) -> ChangeWatch:
    """Watch a catalog whose tables are there already."""
    url = database.write_engine.url
    if url.get_backend_name() == "sqlite":
        return SqliteWatch(str(url.database))
    return PostgresWatch(database)


class SqliteWatch:
    """Asks SQLite itself. For one thread."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._unknown = count()

    def version(self) -> str:
        try:
            return str(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:  # another process is recovering the log: take nothing for unchanged
            return f"unknown-{next(self._unknown)}"

    def close(self) -> None:
        self._connection.close()


class PostgresWatch:
    """Looks at which transactions the server has seen end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = self._look()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="catalog-watch", daemon=True)
        self._thread.start()

    def version(self) -> str:
        return self._seen

    def _look(self) -> str:
        # the ids of the transactions under way are part of the text, so it changes when one of them commits
        snapshot = sa.select(sa.cast(sa.func.pg_current_snapshot(), sa.Text))
        return str(self._database.read_now(lambda connection: connection.execute(snapshot).scalar_one()))

    def _poll(self) -> None:
        failures = count()
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._seen = self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be taken for unchanged meanwhile
                self._seen = f"unknown-{next(failures)}"
                log.debug("The catalog could not be watched: %s", error)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
