"""Rule: whatever is done to files and labels, and in which order, every view shows what a plain model says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from channeld.catalog import candidates, channels, files, labels, viewrows
from channeld.catalog import tables as t
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import open_database
from channeld.catalog.selection import Selection
from channeld.errors import Rejected
from tests.support.catalog import NOW, actor, artifact, make_channel, marks, relabel, view_key
from tests.support.catalogmodel import ModelChannel

SUBDIRS = ("linux-64", "noarch")
#: Few, so that much happens to each.
PACKAGES = [
    artifact("alpha", content="1"),
    artifact("alpha", content="2"),
    artifact("alpha", subdir="linux-64"),
    artifact("beta"),
]

channel_names = st.sampled_from(["standard", "staging"])
packages = st.sampled_from(PACKAGES)
label_names = st.sampled_from(["main", "dev", "broken"])
label_lists = st.lists(label_names, min_size=1, max_size=3, unique=True)


class Catalog(RuleBasedStateMachine):
    """Does the same to a catalog and to the model."""

    template: ClassVar[Path]
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        path = self.folder / "model.sqlite"
        for leftover in self.folder.glob("model.sqlite*"):
            leftover.unlink()
        shutil.copyfile(self.template, path)
        self.database = open_database(f"sqlite:///{path}")
        make_channel(self.database, "standard")
        make_channel(self.database, "staging", ChannelSettings(kind="staging"))
        self.models = {name: ModelChannel(staging=name == "staging") for name in ("standard", "staging")}
        self.now_ms = NOW

    def teardown(self) -> None:
        self.database.close()

    def do(self, change: Callable[[Connection], Any], expected: type[Rejected] | None) -> None:
        """Carry a change out, and see that it is refused by the rule that the model names, or by none."""
        if expected is None:
            self.database.write_now(change)
        else:
            with pytest.raises(Rejected) as rejection:
                self.database.write_now(change)
            assert type(rejection.value) is expected
        self.now_ms += 1

    @rule(channel=channel_names, package=packages, names=label_lists)
    def add(self, channel: str, package: files.Artifact, names: list[str]) -> None:
        """Upload a package."""
        self._add(channel, package, names)

    def _add(self, channel: str, package: files.Artifact, names: list[str]) -> None:
        who, expected = actor(self.now_ms), self.models[channel].add(package, names, self.now_ms)
        self.do(lambda c: files.add(c, channel, package, names, who), expected)

    @rule(channel=channel_names, package=packages)
    def delete(self, channel: str, package: files.Artifact) -> None:
        """Delete what is under a file name."""
        who, expected = actor(self.now_ms), self.models[channel].delete((package.subdir, package.filename))
        self.do(lambda c: files.delete(c, channel, package.subdir, package.filename, who), expected)

    @rule(package=packages)
    def hide(self, package: files.Artifact) -> None:
        """Delete one candidate."""
        place = (package.subdir, package.filename)
        who, expected = actor(self.now_ms), self.models["staging"].delete(place, package.sha256)
        self.do(lambda c: files.delete(c, "staging", *place, who, sha256=package.sha256), expected)

    @rule(package=packages)
    def promote(self, package: files.Artifact) -> None:
        """Remove what has been promoted."""
        place, who = (package.subdir, package.filename), actor(self.now_ms)

        def remove(connection: Connection) -> None:
            staging = channels.lock(connection, ["staging"])["staging"]
            for one in candidates.candidates_for_copy(connection, staging, *place):
                if one.file.sha256 == package.sha256:
                    candidates.remove_candidate(connection, staging, one.file, who)

        self.models["staging"].remove(place, package.sha256)
        self.do(remove, None)

    @rule(age=st.integers(0, 20))
    def expire(self, age: int) -> None:
        """Remove what is old, of the staging channel; of the other one nothing is."""
        before_ms = self.now_ms - age
        expected = {name: model.expire(before_ms) for name, model in self.models.items()}

        def remove(connection: Connection) -> dict[str, int]:
            gone = {}
            for name in self.models:
                ids = candidates.expired(connection, channels.get(connection, name), before_ms)
                who = actor(self.now_ms)
                gone[name] = candidates.expire(connection, name, ids, before_ms, who) if ids else 0
            return gone

        assert self.database.write_now(remove) == expected
        self.now_ms += 1

    def has_deleted_files(self) -> bool:
        """Tell whether anything could come back."""
        return any(file.deleted for model in self.models.values() for file in model.files)

    @precondition(has_deleted_files)
    @rule(channel=channel_names, names=label_lists, data=st.data())
    def restore(self, channel: str, names: list[str], data: st.DataObject) -> None:
        """Upload again what was deleted: by chance alone it would hardly happen."""
        gone = [file.artifact for file in self.models[channel].files if file.deleted]
        if gone:
            self._add(channel, data.draw(st.sampled_from(gone)), names)

    @rule(channel=channel_names, package=packages, names=label_lists)
    def put(self, channel: str, package: files.Artifact, names: list[str]) -> None:
        """Put labels on a package."""
        self._relabel(channel, package.name, names, [])

    @rule(channel=channel_names, package=packages, names=label_lists)
    def take(self, channel: str, package: files.Artifact, names: list[str]) -> None:
        """Take labels off a package."""
        self._relabel(channel, package.name, [], names)

    def _relabel(self, channel: str, name: str, add: list[str], remove: list[str]) -> None:
        expected = self.models[channel].relabel(name, add, remove, self.now_ms)
        chosen, who = Selection(name=name), actor(self.now_ms)
        self.do(lambda c: relabel(c, chosen, add=add, remove=remove, channel=channel, by=who), expected)

    @rule(channel=channel_names, package=packages, old=label_names, new=label_names)
    def move(self, channel: str, package: files.Artifact, old: str, new: str) -> None:
        """Put one label in the place of another."""
        if old != new:
            self._relabel(channel, package.name, [new], [old])

    @rule(channel=channel_names, label=label_names)
    def create_label(self, channel: str, label: str) -> None:
        """Create a label."""
        self.models[channel].create_label(label)
        self.do(lambda c: labels.create(c, channel, label, actor(self.now_ms)), None)

    @rule(channel=channel_names, label=label_names, locked=st.booleans())
    def lock_label(self, channel: str, label: str, locked: bool) -> None:
        """Lock or unlock a label."""
        expected = self.models[channel].lock_label(label, locked)
        self.do(lambda c: labels.configure(c, channel, label, actor(self.now_ms), locked=locked), expected)

    @rule(channel=channel_names, label=label_names)
    def delete_label(self, channel: str, label: str) -> None:
        """Drop a label."""
        expected = self.models[channel].delete_label(label)
        self.do(lambda c: labels.delete(c, channel, label, actor(self.now_ms)), expected)

    @rule()
    def publish(self) -> None:
        """Render everything."""
        self.database.write_now(lambda c: c.execute(t.dirty.delete()))
        for model in self.models.values():
            model.marks = set()

    @invariant()
    def every_view_shows_what_the_model_says(self) -> None:
        """Compare the two."""
        self.database.read_now(self._compare)
        expected = {mark for model in self.models.values() for mark in model.marks}
        assert set(marks(self.database)) == expected

    def _compare(self, connection: Connection) -> None:
        stored = connection.execute(sa.select(t.artifacts.c.id, t.artifacts.c.sha256))
        hashes = {row.id: row.sha256 for row in stored}
        for name, model in self.models.items():
            channel = channels.get(connection, name)
            assert channel.revision == model.revision
            found = {label.name: label.locked for label in labels.every(connection, channel)}
            assert found == model.labels
            for label in found:
                for subdir in SUBDIRS:
                    key = view_key(connection, label, subdir, name)
                    shown = [row for row in viewrows.view_rows(connection, key) if row.shown]
                    assert [row.filename for row in shown] == sorted({row.filename for row in shown})
                    assert {
                        row.filename: (hashes[row.artifact_id], row.indexed_ms) for row in shown
                    } == model.shown(label, subdir)
        staging = channels.get(connection, "staging")
        for place in {(package.subdir, package.filename) for package in PACKAGES}:
            promotable = candidates.candidates_for_copy(connection, staging, *place)
            listed = [(one.file.sha256, frozenset(one.labels), one.hidden) for one in promotable]
            assert len(listed) == len(set(listed))
            assert set(listed) == self.models["staging"].candidates(place)
            ids = [one.file.id for one in promotable]
            assert ids == sorted(ids)


def test_the_catalog_agrees_with_the_model(sqlite_template: Path, tmp_path: Path) -> None:
    class Here(Catalog):
        template = sqlite_template
        folder = tmp_path

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=14,
            stateful_step_count=30,
            deadline=None,
            # what fails is told as it was found: making it smaller takes minutes
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
