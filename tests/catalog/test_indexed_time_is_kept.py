"""Rule (CEP 47): the time at which a file first came into a label's view never changes, whatever happens to it."""

from __future__ import annotations

import pytest

from channeld.catalog import files, labels
from channeld.catalog.database import Database
from channeld.catalog.selection import Selection
from tests.support.catalog import NOW, actor, add, artifact, entered, make_channel, relabel

ALPHA = artifact()
FILE = ALPHA.filename
SELECTED = Selection(filename=FILE)


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database)
    add(database, ALPHA, now_ms=NOW)
    return database


def put(database: Database, label: str, now_ms: int) -> None:
    database.write_now(lambda c: relabel(c, SELECTED, add=[label], by=actor(now_ms)))


def take(database: Database, label: str, now_ms: int) -> None:
    database.write_now(lambda c: relabel(c, SELECTED, remove=[label], by=actor(now_ms)))


def test_each_label_has_its_own(filled: Database) -> None:
    put(filled, "dev", NOW + 1)

    assert entered(filled, "main") == {FILE: NOW}
    assert entered(filled, "dev") == {FILE: NOW + 1}


def test_through_the_removal_of_the_label(filled: Database) -> None:
    take(filled, "main", NOW + 1)
    assert entered(filled) == {}
    put(filled, "main", NOW + 2)

    assert entered(filled) == {FILE: NOW}


def test_through_broken_and_back(filled: Database) -> None:
    put(filled, "broken", NOW + 1)
    assert entered(filled, "broken") == {FILE: NOW + 1}
    take(filled, "broken", NOW + 2)

    assert entered(filled) == {FILE: NOW}
    put(filled, "broken", NOW + 3)
    assert entered(filled, "broken") == {FILE: NOW + 1}


def test_through_deletion_and_restoration(filled: Database) -> None:
    filled.write_now(lambda c: files.delete(c, "chan", "noarch", FILE, actor(NOW + 1)))
    add(filled, ALPHA, "main", "dev", now_ms=NOW + 2)

    assert entered(filled, "main") == {FILE: NOW}
    assert entered(filled, "dev") == {FILE: NOW + 2}


def test_through_the_deletion_of_the_label_itself(filled: Database) -> None:
    put(filled, "dev", NOW + 1)
    filled.write_now(lambda c: labels.delete(c, "chan", "dev", actor(NOW + 2)))
    put(filled, "dev", NOW + 3)

    assert entered(filled, "dev") == {FILE: NOW + 1}


def test_through_a_second_import(filled: Database) -> None:
    add(filled, ALPHA, "main", "dev", now_ms=NOW + 2, indexed_ms=NOW - 100)

    assert entered(filled, "main") == {FILE: NOW}
    assert entered(filled, "dev") == {FILE: NOW - 100}


def test_an_import_brings_the_time_along(filled: Database) -> None:
    beta = artifact("beta")
    add(filled, beta, now_ms=NOW, indexed_ms=0)

    assert entered(filled)[beta.filename] == 0
