"""A database in trouble, told as ``Unavailable``: the one place where SQLAlchemy's errors are translated."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import sqlalchemy as sa

from channeld.catalog.rejections import ValueUnstorable
from channeld.errors import Unavailable

#: What SQLAlchemy raises about the statement, not about the state of the database.
_ABOUT_STATEMENT = (sa.exc.IntegrityError, sa.exc.ProgrammingError)

#: SQLite's primary code in an extended one.
PRIMARY: Final = 0xFF


@dataclass(eq=False)
class CatalogUnavailable(Unavailable):
    """The database did not do its work; nothing of the transaction was kept."""

    problem: str

    advice: ClassVar[str] = "Nothing was changed; try again shortly."

    def sentence(self) -> str:
        return f"The catalog is not available: {self.problem}."

    def for_clients(self) -> CatalogUnavailable:
        return replace(self, problem="the server's log tells why")


@dataclass(eq=False)
class CommitUncertain(CatalogUnavailable):
    """The connection to the server broke between COMMIT and its answer."""

    advice: ClassVar[str] = "Try again shortly: what was done already is found and left as it is."

    def sentence(self) -> str:
        return f"Whether the catalog kept the change is not known: {self.problem}."


@dataclass(eq=False)
class CatalogDamaged(CatalogUnavailable):
    """SQLite finds no database in the file, or a damaged one."""

    advice: ClassVar[str] = (
        "Trying again will not help: look at the disk and at storage.data_dir, "
        "or restore a backup with channeld restore."
    )

    def sentence(self) -> str:
        return f"The catalog is damaged, or its file is none: {self.problem}."


@contextmanager
def unavailable_on_error() -> Iterator[None]:
    """Turn what SQLAlchemy raises for a database in trouble into ``CatalogUnavailable``.

    A value that the database cannot take at all (PostgreSQL: a text with a NUL) is the asker's: ``ValueUnstorable``.
    """
    try:
        yield
    except sa.exc.DataError as error:
        raise ValueUnstorable(problem_of(error)) from error
    except sa.exc.DBAPIError as error:
        if isinstance(error, _ABOUT_STATEMENT):
            raise
        raise trouble_of(error) from error
    except sa.exc.TimeoutError as error:
        raise CatalogUnavailable("every connection is in use") from error


def trouble_of(error: BaseException) -> CatalogUnavailable:
    """Return what to tell of an error of the database."""
    code = getattr(error.orig, "sqlite_errorcode", 0) if isinstance(error, sa.exc.DBAPIError) else 0
    damaged = code & PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (CatalogDamaged if damaged else CatalogUnavailable)(problem_of(error))


def problem_of(error: BaseException) -> str:
    """Say in a few words what went wrong: the database's own first line, without the statement and its values."""
    said = str(error.orig) if isinstance(error, sa.exc.DBAPIError) else str(error)
    return said.strip().partition("\n")[0].rstrip(".") or type(error).__name__
