"""Rule: whoever keeps what was read finds out that something was committed since, by whichever connection."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from channeld.catalog.changewatch import ChangeWatch, watch
from channeld.catalog.database import Database, open_database
from tests.support.catalog import add, artifact, make_channel


@pytest.fixture
def watched(database: Database) -> Iterator[ChangeWatch]:
    make_channel(database)
    watching = watch(database)
    yield watching
    watching.close()


def changes(watched: ChangeWatch, since: str) -> bool:
    """Tell whether the version changes within the time that a poll may take."""
    for _ in range(100):
        if watched.version() != since:
            return True
        time.sleep(0.02)
    return False


def test_nothing_changes_by_itself_or_by_reading(database: Database, watched: ChangeWatch) -> None:
    before = watched.version()

    for _ in range(5):
        database.read_now(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM files").all())
        time.sleep(0.02)

    assert watched.version() == before


def test_a_commit_changes_the_version(database: Database, watched: ChangeWatch) -> None:
    for name in ("alpha", "beta"):
        before = watched.version()
        add(database, artifact(name))
        assert changes(watched, before)


def test_a_commit_of_another_process_does_too(database_url: str, watched: ChangeWatch) -> None:
    other = open_database(database_url)
    before = watched.version()

    add(other, artifact())

    assert changes(watched, before)
    other.close()
