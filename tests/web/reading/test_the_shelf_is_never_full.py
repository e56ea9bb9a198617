"""Rule: whoever asks for many things makes others wait for nothing: the shelf keeps the latest answers."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from channeld.catalog.changewatch import ChangeWatch
from channeld.web import shelf
from channeld.web.shelf import Shelf
from tests.support.server import RunningServer


class Calm(ChangeWatch):
    """A catalog that does not change."""

    def version(self) -> str:
        return "1"

    def close(self) -> None:
        """There is nothing to close."""


async def test_the_latest_answers_are_kept(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MOST", 3)
    shelf_of_three = Shelf(server.database, Calm())
    asked: list[str] = []

    async def ask(name: str) -> str:
        def read(_: Connection) -> str:
            asked.append(name)
            return name

        return await shelf_of_three.remember((name,), read)

    for name in ("a", "b", "c", "d", "d", "c", "b", "a"):
        assert await ask(name) == name
    assert asked == ["a", "b", "c", "d", "a"]
