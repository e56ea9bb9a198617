"""Rule: whatever changes a channel goes through, one by one or in batches, its documents say what the catalog says.

Random changes are applied to a catalog and to a model in plain dicts. What is published in steps, what is derived anew
from the catalog, what a fresh directory publishes at once, and the model have to agree.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channeld.catalog.files import Artifact
from tests.support.indexing import World, forget, package, world_in
from tests.support.viewmodel import ChannelModel, FileModel, as_seen

LABELS = ("main", "dev", "broken")


def _packages() -> list[Artifact]:
    found = []
    for name in ("alpha", "beta", "beta-extra", "gamma"):
        for version in ("1.0", "1.0.1", "2.0"):
            for subdir in ("linux-64", "noarch"):
                depends = ["alpha 1.0"] if name == "gamma" else []
                exports = {"weak": [f"{name} >={version}"]} if version == "2.0" else {}
                found.append(
                    package(name, version, subdir=subdir, depends=depends, run_exports=exports, timestamp=5)
                )
        found.append(package(name, "1.0", extension=".tar.bz2"))
        found.append(package(name, "3.0", build="b", v3=True))
        found.append(package(name, "3.0", build="b+c", v3=True))
        found.append(package(name, "3.0", build="b", extension=".tar.bz2", v3=True))
    return found


PACKAGES = _packages()

SOME_LABELS = st.sets(st.sampled_from(LABELS), min_size=1, max_size=2)
STEP = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(PACKAGES), SOME_LABELS),
    st.tuples(st.just("upload"), st.sampled_from(PACKAGES), SOME_LABELS),
    st.tuples(st.just("label"), st.integers(0, 99), SOME_LABELS),
    st.tuples(st.just("unlabel"), st.integers(0, 99), SOME_LABELS),
    st.tuples(st.just("delete"), st.integers(0, 99), st.just(set[str]())),
    st.tuples(st.just("whole"), st.sampled_from(LABELS[:2]), st.just(set[str]())),
    st.tuples(st.just("publish"), st.just(0), st.just(set[str]())),
)
Step = tuple[str, Any, set[str]]


class Player:
    """Applies steps to a world and to its model."""

    def __init__(self, world: World, model: ChannelModel) -> None:
        self.world = world
        self.model = model

    def play(self, step: Step) -> None:
        kind, what, labels = step
        self.world.clock.advance(seconds=1)
        if kind == "publish":
            self.world.publish()
        elif kind == "whole":
            if what == "main" or any(what in file.entered for file in self.model.files):
                self.world.mark_whole(what)
        elif kind == "upload":
            self._upload(what, labels)
        else:
            there = [file for file in self.model.files if not file.deleted]
            if there:
                self._change(kind, there[what % len(there)], labels)

    def _upload(self, artifact: Artifact, labels: set[str]) -> None:
        self.world.upload(artifact, *sorted(labels))
        for file in self.model.files:
            if file.artifact.sha256 == artifact.sha256:
                break
        else:
            file = FileModel(artifact)
            self.model.files.append(file)
        if file.deleted and not self.model.standard:  # a candidate comes back as the newest of its name
            self.model.files.remove(file)
            self.model.files.append(file)
        file.deleted = False
        file.put(labels, self.world.clock.now_ms())

    def _change(self, kind: str, file: FileModel, labels: set[str]) -> None:
        if kind == "label":
            self.world.label(file.artifact, *sorted(labels))
            file.put(labels, self.world.clock.now_ms())
        elif kind == "unlabel":
            known = {label for other in self.model.files for label in other.entered} | {"main"}
            self.world.unlabel(file.artifact, *sorted(labels & known))
            file.carried -= labels
        else:
            self.world.delete(file.artifact)
            file.deleted = True
            file.carried = set()

    def check(self) -> None:
        """Everything that is published is what the model says."""
        found = {key: as_seen(documents) for key, documents in self.world.everything().items()}
        expected = {key: self.model.documents(*key) for key in self.model.views()}
        assert {key: found[key] for key in expected} == expected
        # views that never had a file may have been derived from a mark on the whole label
        assert all(
            not any(documents.values()) or key in expected or _is_empty(documents)
            for key, documents in found.items()
        )


def _is_empty(documents: dict[str, Any]) -> bool:
    repodata = documents.get("repodata.json")
    return repodata is None or not (repodata["packages"] or repodata["packages.conda"])


@pytest.fixture
def play(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Callable[[list[Step], bool], None]:
    def run(steps: list[Step], standard: bool) -> None:
        folder = tmp_path_factory.mktemp("world")
        shutil.copyfile(sqlite_template, folder / "catalog.sqlite")
        url = f"sqlite:///{folder / 'catalog.sqlite'}"
        with world_in(folder, url) as world:
            world.make_channel(kind="standard" if standard else "staging")
            player = Player(world, ChannelModel(standard))
            for step in [*steps, ("publish", 0, set())]:
                player.play(step)
            player.check()
            world.check()
            _anew(player)
            with world_in(folder / "elsewhere", url) as other:
                _from_nothing(other, player)

    return run


def _anew(player: Player) -> None:
    """Derive every view again, trusting nothing in memory: all stays as it is, to the last digest."""
    world = player.world
    before = {(key.label, key.subdir): world.seen(key.subdir, key.label) for key in world.views()}
    for key in world.views():
        world.publisher.rebuild(key)
    forget(world)
    player.play(("publish", 0, set()))
    player.check()
    after = {(key.label, key.subdir): world.seen(key.subdir, key.label) for key in world.views()}
    assert {key: view.digests() for key, view in after.items()} == {
        key: view.digests() for key, view in before.items()
    }
    assert {key: view.modified() for key, view in after.items()} == {
        key: view.modified() for key, view in before.items()
    }


def _from_nothing(other: World, player: Player) -> None:
    """Publish everything at once into a folder that has nothing: the documents say the same."""
    expected = player.world.everything()
    player.world.publisher.leadership.release()
    for key in player.world.views():
        other.publisher.rebuild(key)
    other.publish()
    found = {key: as_seen(documents) for key, documents in other.everything().items()}
    assert found == {key: as_seen(documents) for key, documents in expected.items()}


QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)


@given(st.lists(STEP, max_size=30))
@settings(deadline=None, max_examples=15, suppress_health_check=QUIET)
def test_a_standard_channel(play: Callable[[list[Step], bool], None], steps: list[Step]) -> None:
    play(steps, True)


CANDIDATES = [package(name, "1.0", content=content) for name in ("alpha", "beta") for content in "abc"]
STAGING_STEP = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(CANDIDATES), SOME_LABELS),
    st.tuples(st.just("label"), st.integers(0, 99), SOME_LABELS),
    st.tuples(st.just("unlabel"), st.integers(0, 99), SOME_LABELS),
    st.tuples(st.just("delete"), st.integers(0, 99), st.just(set[str]())),
    st.tuples(st.just("publish"), st.just(0), st.just(set[str]())),
)


@given(st.lists(STAGING_STEP, max_size=20))
@settings(deadline=None, max_examples=15, suppress_health_check=QUIET)
def test_a_staging_channel_with_several_candidates_under_one_name(
    play: Callable[[list[Step], bool], None], steps: list[Step]
) -> None:
    play(steps, False)
