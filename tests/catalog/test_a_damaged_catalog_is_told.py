"""Rule: a catalog that is damaged, or none, is told as what it is: nobody is advised to try again."""

from __future__ import annotations

from pathlib import Path

import pytest

from channeld.catalog import schema
from channeld.catalog.database import Database, open_database
from channeld.catalog.unavailable import CatalogDamaged, CatalogUnavailable
from tests.support.catalog import make_channel

ADVICE = (
    "Trying again will not help: look at the disk and at storage.data_dir, "
    "or restore a backup with channeld restore."
)


def opened(path: Path) -> Database:
    return open_database(f"sqlite:///{path}")


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"a letter to the operator, longer than the header of a database\n" * 40)
    before = path.read_bytes()

    database = opened(path)
    with pytest.raises(CatalogDamaged) as told:
        schema.upgrade(database)
    database.close()

    assert str(told.value) == (
        f"The catalog is damaged, or its file is none: file is not a database. {ADVICE}"
    )
    assert path.read_bytes() == before


def test_pages_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    database = opened(path)
    schema.upgrade(database)
    make_channel(database)
    database.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    database = opened(path)
    with pytest.raises(CatalogDamaged, match="malformed"):
        database.write_now(lambda connection: connection.exec_driver_sql("DELETE FROM channels"))
    with pytest.raises(CatalogDamaged, match="malformed"):
        database.read_now(lambda connection: connection.exec_driver_sql("SELECT * FROM channels").all())
    database.close()


def test_a_folder_that_is_not_there_is_not_called_damaged(tmp_path: Path) -> None:
    database = opened(tmp_path / "gone" / "catalog.sqlite")
    with pytest.raises(CatalogUnavailable) as told:
        schema.upgrade(database)
    database.close()
    assert type(told.value) is CatalogUnavailable
