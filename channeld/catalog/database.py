"""The door to the catalog: one snapshot for a read, one transaction for a write, on SQLite and PostgreSQL alike.

Work is a plain function of a ``Connection``; the database runs it on a thread of its own, so nothing blocks the
event loop and a transaction costs one hop, not one for each statement.

- A read sees one snapshot. SQLite: an explicit BEGIN on a read-only connection. PostgreSQL: REPEATABLE READ, read only.
- A write is one transaction. SQLite: BEGIN IMMEDIATE on the one writer connection, and writes that wait for it at the
  same time share one commit (see ``groupcommit``). PostgreSQL: READ COMMITTED; whoever changes a channel locks the
  channel's row first, so what follows in the transaction sees everything that came before it.
- A write has happened when, and only when, the call returns (one exception: ``CommitUncertain``).

The driver of SQLite sends no BEGIN by itself in the mode used here: every BEGIN in this module is ours.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from channeld.catalog.groupcommit import GroupCommit, call
from channeld.catalog.prepared import execute
from channeld.catalog.privatefile import create_private
from channeld.catalog.rejections import DatabaseUnsupported
from channeld.catalog.unavailable import (
    PRIMARY,
    CatalogUnavailable,
    CommitUncertain,
    problem_of,
    unavailable_on_error,
)

T = TypeVar("T")
Work = Callable[[Connection], T]

READERS: Final = 4  # threads for reads
SNAPSHOTS: Final = 36  # connections that may read at the same time
POSTGRES_WRITERS: Final = 8  # threads for writes
LOCK_TIMEOUT_MS: Final = 20_000  # how long a write waits for another process's before it gives up
_LOOK_SECONDS: Final = 0.01  # between two tries where SQLite does not wait by itself
_READER_CACHE_KIB: Final = 8_192  # of each reading connection; what is beyond is in the system's page cache
_WRITER_CACHE_KIB: Final = 32_768
_LOG_BYTES: Final = 64 * 1024 * 1024  # what the write-ahead log is cut back to after a long read made it grow
_MIGRATION_LOCK: Final = 0x6368_616E_6E65_6C64  # "channeld": which of PostgreSQL's advisory locks is ours


def open_database(url: str) -> Database:
    """Open the catalog at an SQLAlchemy URL (``sqlite:///…`` or ``postgresql://…``). Nothing is connected yet.

    Raises:
        DatabaseUnsupported: the URL names another database, or one that lives in memory.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise DatabaseUnsupported("a text that is not a URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return SqliteDatabase(parsed.set(drivername="sqlite"))
    if backend == "postgresql":
        return PostgresDatabase(parsed.set(drivername="postgresql+psycopg"))
    raise DatabaseUnsupported(f"a database of the kind {backend!r}")


class Database:
    """What both databases have in common; see the module's text for the promises."""

    def __init__(self, read_engine: Engine, write_engine: Engine) -> None:
        self.read_engine = read_engine
        self.write_engine = write_engine
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="catalog-reader")
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Hold one consistent, read-only view of the catalog. For threads, not for the event loop."""
        if self._closed:
            raise _closed()
        with unavailable_on_error(), self.read_engine.connect() as connection, connection.begin():
            yield connection

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot."""
        if self._closed:
            raise _closed()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot, on this thread."""
        with self.snapshot() as connection:
            return call(work, connection)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction; it is durable when this returns.

        A caller that is cancelled before the work's turn has come takes it back; later, cancelling undoes nothing.
        """
        return await asyncio.wrap_future(self.submit(work))

    def write_now(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction, waiting on this thread."""
        return self.submit(work).result()

    def submit(self, work: Work[T]) -> Future[T]:
        """Have ``work`` run in one transaction; what it returned is there once it is durable. For any thread."""
        raise NotImplementedError

    def migration(self) -> AbstractContextManager[Connection]:
        """Begin the one transaction that may change tables; others wait for it, also in other processes."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish the transactions under way and let go of every connection. Blocks; call it once all work ended."""
        self._closed = True
        self._readers.shutdown(wait=True)
        self.read_engine.dispose()
        self.write_engine.dispose()


def _closed() -> CatalogUnavailable:
    return CatalogUnavailable("it is being closed")


class SqliteDatabase(Database):
    """One file; one writer at a time; WAL, so that readers never wait.

    Raises:
        DatabaseUnsupported: the URL names no file. A database in memory would be another one for each connection.
    """

    def __init__(self, url: sa.URL) -> None:
        if not url.database or url.database == ":memory:":
            raise DatabaseUnsupported("an SQLite database in memory")
        self._url = url
        super().__init__(_sqlite_reader(url), _sqlite_writer(url))
        self._writer = GroupCommit(self.write_engine)

    def submit(self, work: Work[T]) -> Future[T]:
        return self._writer.submit(work)

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        # A table that is made anew under its name must not take with it what refers to it: no foreign keys meanwhile.
        engine = _sqlite_writer(self._url, foreign_keys=False)
        try:
            with unavailable_on_error(), engine.connect() as connection, connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise CatalogUnavailable(f"a migration left rows of {broken[0]} that refer to nothing")
        finally:
            engine.dispose()

    def close(self) -> None:
        self._writer.close()
        super().close()


def _sqlite_reader(url: sa.URL) -> Engine:
    engine = _sqlite_engine(url, READERS, SNAPSHOTS)
    _sqlite_prepare(engine, f"cache_size=-{_READER_CACHE_KIB}", "query_only=ON")
    _sqlite_begin(engine, "BEGIN")
    return engine


def _sqlite_writer(url: sa.URL, *, foreign_keys: bool = True) -> Engine:
    engine = _sqlite_engine(url, 1, 1)
    _sqlite_prepare(
        engine,
        "journal_mode=WAL",
        "synchronous=FULL",
        f"journal_size_limit={_LOG_BYTES}",
        f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        f"cache_size=-{_WRITER_CACHE_KIB}",
    )
    _sqlite_begin(engine, "BEGIN IMMEDIATE")
    return engine


def _sqlite_engine(url: sa.URL, kept: int, most: int) -> Engine:
    engine = sa.create_engine(
        url,
        poolclass=sa.pool.QueuePool,
        pool_size=kept,
        max_overflow=most - kept,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def create(*_: object) -> None:
        # it has keys that webhooks are signed with; SQLite gives its log the same permissions
        with suppress(OSError):  # it is there, or SQLite will tell why it cannot be
            os.close(create_private(str(url.database)))

    return engine


def _sqlite_prepare(engine: Engine, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions behind our back
        connection.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT_MS}")
        for pragma in pragmas:
            _set(connection, pragma)


def _set(connection: Any, pragma: str) -> None:
    """Set a pragma, waiting for others: SQLite itself does not where two begin the log of a new file."""
    end = time.monotonic() + LOCK_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _sqlite_begin(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        execute(connection, statement)


class PostgresDatabase(Database):
    """A PostgreSQL server, shared by as many processes as there are."""

    def __init__(self, url: sa.URL) -> None:
        super().__init__(
            _postgres_engine(url, "REPEATABLE READ", READERS, SNAPSHOTS, readonly=True),
            _postgres_engine(url, "READ COMMITTED", POSTGRES_WRITERS, POSTGRES_WRITERS + 1, readonly=False),
        )
        self._writers = ThreadPoolExecutor(POSTGRES_WRITERS, thread_name_prefix="catalog-writer")

    def submit(self, work: Work[T]) -> Future[T]:
        try:
            return self._writers.submit(self._write, work)
        except RuntimeError:  # shut down
            raise _closed() from None

    def _write(self, work: Work[T]) -> T:
        with unavailable_on_error(), self.write_engine.connect() as connection:
            transaction = connection.begin()
            with transaction:
                value = call(work, connection)
                try:
                    transaction.commit()
                except sa.exc.DBAPIError as error:
                    if error.connection_invalidated:
                        raise CommitUncertain(problem_of(error)) from error
                    raise
            return value

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        with unavailable_on_error(), self.write_engine.begin() as connection:
            connection.exec_driver_sql(
                "SET LOCAL lock_timeout = 0"
            )  # another process's migration may take long
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection

    def close(self) -> None:
        self._writers.shutdown(wait=True)
        super().close()


def _postgres_engine(url: sa.URL, isolation: Any, kept: int, most: int, *, readonly: bool) -> Engine:
    engine = sa.create_engine(
        url,
        isolation_level=isolation,
        execution_options={"postgresql_readonly": readonly},
        pool_size=kept,
        max_overflow=most - kept,
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.commit()

    return engine
