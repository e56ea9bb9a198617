"""Rule: whatever is staged, hidden, brought back, relabelled, promoted or expired, production shows what was promoted.

And no more than that: no candidate ever stands in a document of a production channel. What is published of both
channels is what the catalog says, also where rows were removed for good.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from channeld.catalog import files
from channeld.catalog.files import Artifact
from channeld.catalog.selection import Selection
from channeld.errors import Rejected
from tests.support.candidates import STAGING, expire, promote
from tests.support.catalog import relabel
from tests.support.databases import sqlite_template
from tests.support.indexing import World, package, world_in

__all__ = ["sqlite_template"]

PRODUCTION = "chan"
LABELS = ("main", "rc", "broken")
#: Candidates with names in common, in two subdirs.
PACKAGES = [
    package(name, content=content, subdir=subdir)
    for name in ("alpha", "beta")
    for subdir in ("linux-64", "noarch")
    for content in ("1", "2", "3")
]

some_labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True)
steps = st.lists(
    st.tuples(
        st.sampled_from(["stage"] * 5 + ["hide", "label", "unlabel", "promote", "expire", "publish"]),
        st.sampled_from(PACKAGES),
        some_labels,
        st.integers(0, 8),
    ),
    min_size=10,
    max_size=40,
)
Step = tuple[str, Artifact, list[str], int]


class Player:
    """Does things to both channels, and keeps in mind what was promoted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.promoted: set[str] = set()

    def play(self, step: Step) -> None:
        kind, artifact, labels, age = step
        self.world.clock.advance(seconds=1)
        if kind == "publish":
            self.world.publish()
            return
        try:
            self.world.write(lambda c: self._change(c, kind, artifact, labels, age))
        except Rejected:
            return
        if kind == "promote":
            self.promoted.add(artifact.sha256)

    def _change(self, connection: Any, kind: str, artifact: Artifact, labels: list[str], age: int) -> None:
        world, now_ms = self.world, self.world.clock.now_ms()
        chosen = Selection(subdir=artifact.subdir, filename=artifact.filename)
        if kind == "stage":
            files.add(connection, STAGING, artifact, labels, world.actor)
        elif kind == "hide":
            place = (artifact.subdir, artifact.filename)
            files.delete(connection, STAGING, *place, world.actor, sha256=artifact.sha256)
        elif kind == "label":
            relabel(connection, chosen, add=labels, channel=STAGING, by=world.actor)
        elif kind == "unlabel":
            relabel(connection, chosen, remove=labels, channel=STAGING, by=world.actor)
        elif kind == "promote":
            files.add(connection, PRODUCTION, artifact, labels[:1], world.actor)
            promote(connection, artifact, now_ms)
        elif kind == "expire":
            expire(connection, now_ms - age * 1000)
            expire_nothing(connection, now_ms)

    def check(self) -> None:
        """Look into every document of production for the hash of every package."""
        self.world.publish()
        shown: set[str] = set()
        for key in self.world.views():
            documents = self.world.seen(key.subdir, key.label, key.channel).documents
            if key.channel == PRODUCTION:
                text = orjson.dumps(documents, default=bytes.hex)
                shown |= {artifact.sha256 for artifact in PACKAGES if artifact.sha256.encode() in text}
        assert shown == self.promoted
        self.world.check()


def expire_nothing(connection: Any, now_ms: int) -> None:
    """Expire everything of production that is expired: nothing is."""
    with pytest.raises(ValueError, match="holds no candidates"):
        expire(connection, now_ms + 1, PRODUCTION)


@pytest.fixture
def play(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Callable[[list[Step]], None]:
    def run(some: list[Step]) -> None:
        folder = tmp_path_factory.mktemp("world")
        shutil.copyfile(sqlite_template, folder / "catalog.sqlite")
        with world_in(folder, f"sqlite:///{folder / 'catalog.sqlite'}") as world:
            world.make_channel(PRODUCTION)
            world.make_channel(STAGING, kind="staging", promotes_to=PRODUCTION)
            player = Player(world)
            for step in some:
                player.play(step)
            player.check()

    return run


@settings(
    max_examples=8,
    deadline=None,
    # what fails is told as it was found: making it smaller takes minutes
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(some=steps)
def test_production_shows_what_was_promoted_and_nothing_else(
    play: Callable[[list[Step]], None], some: list[Step]
) -> None:
    play(some)
