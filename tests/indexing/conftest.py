"""A world on SQLite for each test, and the fixtures for tests on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import backend, database, database_url, postgres_server, sqlite_template
from tests.support.indexing import World, world_in

__all__ = ["backend", "database", "database_url", "new_world", "postgres_server", "sqlite_template", "world"]

NewWorld = Callable[..., World]


@pytest.fixture
def new_world(tmp_path: Path, sqlite_template: Path) -> Iterator[NewWorld]:
    """Makes worlds; those of one name share catalog and folder."""
    with ExitStack() as stack:

        def make(name: str = "world", **options: Any) -> World:
            folder = tmp_path / name
            if not folder.exists():
                folder.mkdir()
                shutil.copyfile(sqlite_template, folder / "catalog.sqlite")
            return stack.enter_context(world_in(folder, f"sqlite:///{folder / 'catalog.sqlite'}", **options))

        yield make


@pytest.fixture
def world(new_world: NewWorld) -> World:
    """A world with an empty channel."""
    made = new_world()
    made.make_channel()
    return made
