"""Rule: whatever happens, in whatever order, production has what a simple model says, and no unchecked bytes."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection

from channeld.catalog import candidates, channels, feedstocks, labels, schema
from channeld.catalog.database import open_database
from channeld.promotion.asking import Extent
from tests.support.clock import ManualClock
from tests.support.promotion import FEEDSTOCK, PRODUCTION, STAGING, Bench, Build, bench, fates

NAMES = ("alpha", "beta", "gamma", "stranger")
CONTENTS = ("one", "two")
LABELS = ("main", "rc")

EVENTS = ("hide", "expire", "expire", "damage", "lock", "archive", "delete", "calm", "calm", "calm")

names, contents, label_names = (st.sampled_from(values) for values in (NAMES, CONTENTS, LABELS))
Chosen = tuple[str, str]
#: Some names, each with one content.
chosen = st.lists(st.tuples(names, contents), min_size=1, max_size=3, unique_by=lambda each: each[0])


@cache
def template() -> bytes:
    """Return an SQLite file with all tables and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/template")
        schema.upgrade(database)
        database.close()
        return Path(folder, "template").read_bytes()


@dataclass
class Held:
    """A file of production in the model."""

    content: str
    labels: set[str]
    deleted: bool = False


@dataclass
class Wanted:
    """A copy in the model: for each name the content that was accepted, or None where it was refused."""

    id: str
    label: str
    extent: Extent
    outputs: dict[str, str | None]
    #: What production had at the time of the acceptance.
    there: set[str]
    step: str = "pinned"
    damaged: set[str] = field(default_factory=set)


class Promotions(RuleBasedStateMachine):
    """Uploads, deletions, expiry, damage, administration, and copies whose steps lie anywhere between them."""

    stage: Bench
    clock: ManualClock

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "template").write_bytes(template())
        self.stage = self.stack.enter_context(bench(folder, folder / "template"))
        assert isinstance(self.stage.instance.clock, ManualClock)
        self.clock = self.stage.instance.clock
        #: The labels under which a candidate can be promoted.
        self.staged: dict[Chosen, set[str]] = {}
        self.held: dict[str, Held] = {}
        self.damaged: set[Chosen] = set()
        self.locked: set[str] = set()
        self.archived = False
        self.copies: list[Wanted] = []

    def teardown(self) -> None:
        self.stack.close()

    def write(self, work: Any) -> Any:
        return self.stage.instance.database.write_now(work)

    @rule(wanted=chosen, label=label_names, extent=st.sampled_from(Extent), asks=st.integers(0, 2))
    def build(self, wanted: list[Chosen], label: str, extent: Extent, asks: int) -> None:
        """Upload, and ask for what was uploaded, or not, or twice."""
        for name, content in wanted:
            if (name, content) not in self.damaged:
                self.stage.upload(Build(name, content=content), label)
                self.staged.setdefault((name, content), set()).add(label)
        for _ in range(asks):
            self.begin(wanted, label, extent)

    @rule(wanted=chosen, label=label_names, extent=st.sampled_from(Extent))
    def ask(self, wanted: list[Chosen], label: str, extent: Extent) -> None:
        """Ask for something that may be there or not."""
        self.begin(wanted, label, extent)

    @rule(event=st.sampled_from(EVENTS), name=names, content=contents, label=label_names)
    def meddle(self, event: str, name: str, content: str, label: str) -> None:
        """Have something else happen."""
        build = Build(name, content=content)
        if event == "hide" and build.sha256 in self.stage.staged():
            self.stage.delete(build)  # it can be promoted all the same
        elif event == "expire":
            self.expire()
        elif event == "damage":
            self.damage(build)
        elif event == "lock":
            self.set_locked(label, locked=True)
        elif event == "archive":
            self.set_archived(archived=True)
        elif event == "delete":
            self.delete_from_production(name)
        elif event == "calm":
            self.set_archived(archived=False)
            for each in LABELS:
                self.set_locked(each, locked=False)

    def expire(self) -> None:
        self.clock.advance(seconds=10)
        now_ms = self.clock.now_ms()

        def work(connection: Connection) -> None:
            ids = candidates.expired(connection, channels.get(connection, STAGING), now_ms)
            candidates.expire(connection, STAGING, ids, now_ms, self.stage.actor())

        self.write(work)
        self.staged.clear()

    def damage(self, build: Build) -> None:
        """Change stored bytes that production does not have yet."""
        held = self.held.get(build.name)
        known = self.stage.instance.blobs.path(build.sha256).exists()
        mine = held is not None and held.content == build.content
        if known and not mine and (build.name, build.content) not in self.damaged:
            self.stage.damage(build)
            self.damaged.add((build.name, build.content))

    def set_locked(self, label: str, *, locked: bool) -> None:
        self.write(lambda c: labels.create(c, PRODUCTION, label, self.stage.actor()))
        self.write(lambda c: labels.configure(c, PRODUCTION, label, self.stage.actor(), locked=locked))
        self.locked = self.locked | {label} if locked else self.locked - {label}

    def set_archived(self, *, archived: bool) -> None:
        change = feedstocks.archive if archived else feedstocks.unarchive
        self.write(lambda c: change(c, PRODUCTION, FEEDSTOCK, self.stage.actor()))
        self.archived = archived

    def delete_from_production(self, name: str) -> None:
        held = self.held.get(name)
        if held is not None and not held.deleted and not held.labels & self.locked:
            self.stage.delete(Build(name, content=held.content), PRODUCTION)
            held.deleted, held.labels = True, set()

    def begin(self, chosen: list[Chosen], label: str, extent: Extent) -> None:
        builds = [Build(name, content=content) for name, content in chosen]
        copy = self.stage.begin(self.stage.asked(*builds, label=label, extent=extent))
        outputs = {name: content if self.accepts(name, content, label) else None for name, content in chosen}
        there = {name for name, content in outputs.items() if content and self.has(name, content, label)}
        wanted = Wanted(copy.id, label, extent, outputs, there)
        if extent is Extent.ALL and None in outputs.values():
            wanted.outputs, wanted.there = dict.fromkeys(outputs), set()
        if wanted.there == {name for name, content in wanted.outputs.items() if content}:
            self.finish(wanted)
            assert copy.finished_ms is not None
        else:
            assert copy.finished_ms is None
            self.copies.append(wanted)

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def do_a_step(self, data: st.DataObject) -> None:
        """Do the next step of a copy."""
        self.go_on(data.draw(st.sampled_from(self.copies)))

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def do_the_rest(self, data: st.DataObject) -> None:
        """Bring a copy to its end."""
        wanted = data.draw(st.sampled_from(self.copies))
        while wanted in self.copies:
            self.go_on(wanted)

    def go_on(self, wanted: Wanted) -> None:
        if wanted.step == "pinned":
            wanted.damaged = {
                name
                for name, content in wanted.outputs.items()
                if content and name not in wanted.there and (name, content) in self.damaged
            }
            assert self.stage.instance.copies.check(wanted.id)
            wanted.step = "checked"
            return
        copy = self.stage.instance.copies.conclude(wanted.id)
        self.copies.remove(wanted)
        copied = self.finish(wanted)
        assert copy is not None
        assert {key for key, fate in fates(copy).items() if fate in ("copied", "there")} == copied

    def has(self, name: str, content: str, label: str) -> bool:
        """Tell whether production has bytes under a label."""
        held = self.held.get(name)
        return held is not None and not held.deleted and held.content == content and label in held.labels

    def accepts(self, name: str, content: str, label: str, pinned: bool = False) -> bool:
        """Say what the rules say."""
        if self.archived or name == "stranger":
            return False
        held = self.held.get(name)
        if self.has(name, content, label):
            return True
        if not pinned and label not in self.staged.get((name, content), ()):
            return False
        return (held is None or (not held.deleted and held.content == content)) and label not in self.locked

    def finish(self, wanted: Wanted) -> set[str]:
        """Bring into the model's production what the rules let in; return its keys."""
        copied = {}
        for name, content in wanted.outputs.items():
            pinned = name not in wanted.there
            if content is None or name in wanted.damaged:
                continue
            if self.accepts(name, content, wanted.label, pinned):
                copied[name] = content
        accepted = {name for name, content in wanted.outputs.items() if content}
        if wanted.extent is Extent.ALL and copied.keys() != accepted:
            return set()
        for name, content in copied.items():
            held = self.held.setdefault(name, Held(content, set()))
            held.labels.add(wanted.label)
            if wanted.label in self.staged.get((name, content), ()):
                del self.staged[name, content]
        return {Build(name).key for name in copied}

    @invariant()
    def production_is_as_the_model_says(self) -> None:
        assert self.stage.holds(PRODUCTION) == {
            Build(name).key: (Build(name, content=held.content).sha256, tuple(sorted(held.labels)))
            for name, held in self.held.items()
            if not held.deleted
        }

    @invariant()
    def production_has_only_good_bytes(self) -> None:
        for name, held in self.held.items():
            build = Build(name, content=held.content)
            if (name, held.content) not in self.damaged:
                assert self.stage.instance.blobs.path(build.sha256).read_bytes() == build.data

    @invariant()
    def only_copies_under_way_hold_on_to_anything(self) -> None:
        pinned = sum(
            1
            for each in self.copies
            for name, content in each.outputs.items()
            if content and name not in each.there
        )
        assert self.stage.pins() == pinned


TestPromotions = Promotions.TestCase
TestPromotions.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
