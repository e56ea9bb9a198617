"""Group commit: writes that wait for the one writer at the same time share a transaction, and so one fsync.

Each write runs in a savepoint of its own, so that one failing does not touch the others. No answer is given before
the commit: until then even a refusal may rest on rows that are not kept.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from channeld.catalog.prepared import execute
from channeld.catalog.unavailable import CatalogUnavailable, trouble_of, unavailable_on_error

T = TypeVar("T")

BATCH_SECONDS = 0.02  # a commit takes in no further write after this long
BATCH_WRITES = 128


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    future: Future[T]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one write came to; it is the caller's only once the commit has happened."""

    value: Any = None
    failure: BaseException | None = None


class GroupCommit:
    """The one thread that writes. ``engine`` begins transactions that may write, and has one connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()  # None, last: the end
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="catalog-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a write. Its future is done when the write is durable, or is known not to have happened.

        A future that is cancelled before its turn is left out; later, cancelling does not undo anything.

        Raises:
            CatalogUnavailable: ``close`` was called.
        """
        job = _Job(work, Future())
        with self._closing:  # nothing may come to stand behind the end
            if self._closed:
                raise CatalogUnavailable("it is being closed")
            self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Do what waits, and end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            if first.future.set_running_or_notify_cancel():
                self._commit(first)

    def _commit(self, first: _Job[Any]) -> None:
        """Commit ``first`` and whatever waits behind it, and answer them all."""
        taken = [first]
        try:
            outcomes = self._write(taken)
        except BaseException as error:  # noqa: BLE001 - whatever broke the commit is the answer to each in it
            for job in taken:
                # each caller gets an exception of its own: raising one adds to its traceback
                failure = trouble_of(_root(error))
                failure.__cause__ = error
                job.future.set_exception(failure)
            return
        for job, outcome in zip(taken, outcomes, strict=True):
            if outcome.failure is None:
                job.future.set_result(outcome.value)
            else:
                job.future.set_exception(outcome.failure)

    def _write(self, taken: list[_Job[Any]]) -> list[_Outcome]:
        """Run the first of ``taken`` and what waits behind it in one transaction, adding that to ``taken``."""
        outcomes: list[_Outcome] = []
        with self._engine.connect() as connection:
            try:
                try:
                    transaction = connection.begin()
                except Exception:
                    # what waits would only wait as long again, one after the other
                    taken.extend(self._waiting(float("inf")))
                    raise
                with transaction:
                    outcomes.append(_attempt(connection, taken[0]))
                    for job in self._waiting(time.monotonic() + BATCH_SECONDS):
                        taken.append(job)
                        outcomes.append(_attempt(connection, job))
            except BaseException:
                connection.invalidate()  # a fresh one starts without whatever went wrong with this one
                raise
        return outcomes

    def _waiting(self, deadline: float) -> Iterator[_Job[Any]]:
        """Yield the writes that wait now, up to ``deadline`` on the monotonic clock."""
        for _ in range(BATCH_WRITES):
            if self._jobs.empty() or time.monotonic() >= deadline:
                return
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                return
            if job.future.set_running_or_notify_cancel():
                yield job


def _attempt(connection: Connection, job: _Job[Any]) -> _Outcome:
    """Run one write inside a shared transaction, undoing just its own part when it fails.

    Raises:
        CatalogUnavailable: the failure took the whole transaction with it (SQLite does that when the disk is full).
    """
    # in plain SQL: a savepoint of SQLAlchemy's takes as long as a third of a whole upload's transaction
    execute(connection, "SAVEPOINT one_write")
    try:
        with unavailable_on_error():
            value = call(job.work, connection)
            execute(connection, "RELEASE SAVEPOINT one_write")
    except BaseException as error:  # noqa: BLE001 - handed to the caller of this write
        try:
            execute(connection, "ROLLBACK TO SAVEPOINT one_write")
            execute(connection, "RELEASE SAVEPOINT one_write")
        except sa.exc.SQLAlchemyError:
            raise trouble_of(_root(error)) from error
        return _Outcome(failure=error)
    return _Outcome(value)


def _root(error: BaseException) -> BaseException:
    """Return what a ``CatalogUnavailable`` was made of."""
    while isinstance(error, CatalogUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    return error


def call(work: Callable[[Connection], T], connection: Connection) -> T:
    """Run ``work``. ``StopIteration`` becomes a ``RuntimeError``: no future can carry it, its caller would hang."""
    try:
        return work(connection)
    except StopIteration as error:
        raise RuntimeError("The work on the catalog raised StopIteration.") from error
