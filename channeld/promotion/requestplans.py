"""What would become of each entry of a request, and how it is done: read from the catalog, then carried out.

A plan changes nothing. It is made on a snapshot for a dry run, and once more in the transaction that carries it out,
with the channel locked: so both say the same, unless something else changed meanwhile. What is so already stays as it
is. Requests whose entries are bytes or secrets have modules of their own (``handcopies``, ``tokenresets``).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, labels, outputs, relabelling, selection
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.feedstock_rejections import FeedstockMissing
from channeld.catalog.feedstocks import Feedstock
from channeld.catalog.grants import Grant, Verb, allows, missing
from channeld.catalog.labels import BROKEN
from channeld.catalog.listing import labels_of
from channeld.catalog.manyrows import chunks
from channeld.catalog.outputs import KeyedGlob
from channeld.catalog.rejections import FileMissing, LabelLocked
from channeld.catalog.relabelling import Relabelled
from channeld.catalog.selection import StoredFile
from channeld.errors import Rejected
from channeld.promotion.distnames import DistName
from channeld.promotion.globs import core_of, matches
from channeld.promotion.requests import Archiving, Copying, Entry, FeedstockOutput, Marking, Registering, Work

#: Comparisons of names with globs that a note may cost.
_MOST_COMPARED: Final = 200_000


class Fate(enum.StrEnum):
    """What became of an entry, or would."""

    DONE = "done"
    WOULD_BE_DONE = "would_be_done"
    #: It was so already.
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    #: It is in order, and is not done because other entries of the request are refused.
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a request, and what becomes of it."""

    entry: Entry
    fate: Fate
    #: Why it is refused; of others, what else there is to know.
    text: str = ""
    #: The rule that refuses it.
    rule: str = ""

    @classmethod
    def refused(cls, entry: Entry, error: Rejected) -> Step:
        """Refuse an entry as an error says."""
        return cls(entry, Fate.REFUSED, str(error), error.code)


class Plan(Protocol):
    """What becomes of the entries of a request, in their order, and how."""

    @property
    def steps(self) -> Sequence[Step]: ...

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        """Do what would be done, in the channel that is locked."""
        ...


def kept_together(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Withhold everything where something is refused: a request is done whole or not at all."""
    if all(step.fate is not Fate.REFUSED for step in steps):
        return tuple(steps)
    return tuple(
        replace(step, fate=Fate.WITHHELD) if step.fate is Fate.WOULD_BE_DONE else step for step in steps
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who applies a request, and what they may do."""

    actor: Actor
    grants: tuple[Grant, ...] = field(repr=False)

    def refusal(
        self, entry: Entry, verb: Verb, channel: str, label: str | None = None, package: str | None = None
    ) -> Step | None:
        """Refuse an entry that takes a right which the caller does not have."""
        if allows(self.grants, verb, channel, label, package):
            return None
        text = missing(self.grants, verb, channel, label, package)
        return Step(entry, Fate.REFUSED, text, "not_allowed")


def right_for(work: Work) -> tuple[Verb, str | None]:
    """Return the right that every entry takes, and on which label; on which packages, its entries say."""
    if isinstance(work, Marking):
        return Verb.LABEL, BROKEN
    return (Verb.UPLOAD, work.label) if isinstance(work, Copying) else (Verb.CONFIGURE, None)


@dataclass(frozen=True, slots=True)
class MarkingPlan:
    """Files to be marked as broken, or no longer."""

    steps: Sequence[Step]
    changes: Sequence[Relabelled]

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        relabelling.carry_out(connection, channel, self.changes, actor)


def plan_marking(connection: Connection, channel: Channel, work: Marking, caller: Caller) -> MarkingPlan:
    """Plan to mark files as broken, or to take the mark off."""
    found = _files(connection, channel, [entry.dist for entry in work.entries])
    carried = labels_of(connection, [file.id for file in found.values()])
    label = labels.find(connection, channel, BROKEN)
    locked = LabelLocked(channel.name, BROKEN) if label is not None and label.locked else None
    steps: list[Step] = []
    changes: list[Relabelled] = []
    for entry in work.entries:
        dist = entry.dist
        refusal = caller.refusal(entry, Verb.LABEL, channel.name, BROKEN, dist.file.name)
        file = found.get(dist)
        if refusal is not None:
            steps.append(refusal)
        elif file is None:
            steps.append(Step.refused(entry, FileMissing(channel.name, dist.subdir, str(dist.file))))
        elif (BROKEN in carried.get(file.id, ())) == work.broken:
            steps.append(Step(entry, Fate.UNCHANGED))
        elif locked is not None:
            steps.append(Step.refused(entry, locked))
        else:
            steps.append(Step(entry, Fate.WOULD_BE_DONE))
            changes.append(_marked(file, carried.get(file.id, ()), broken=work.broken))
    return MarkingPlan(steps, changes)


def _marked(file: StoredFile, before: tuple[str, ...], *, broken: bool) -> Relabelled:
    after = {*before, BROKEN} if broken else {*before} - {BROKEN}
    return Relabelled(file, before, tuple(sorted(after)))


def _files(connection: Connection, channel: Channel, dists: Iterable[DistName]) -> dict[DistName, StoredFile]:
    """Look files up by name, many at once."""
    by_subdir: dict[str, dict[str, DistName]] = {}
    for dist in dists:
        by_subdir.setdefault(dist.subdir, {})[str(dist.file)] = dist
    found = {}
    for subdir, wanted in by_subdir.items():
        for names in chunks(list(wanted)):
            conditions = [
                t.files.c.channel_id == channel.id,
                t.files.c.subdir == subdir,
                t.files.c.filename.in_(names),
                t.files.c.deleted_ms.is_(None),
            ]
            for file in selection.search(connection, conditions):
                found[wanted[file.filename]] = file
    return found


@dataclass(frozen=True, slots=True)
class ArchivingPlan:
    """Feedstocks to be archived, or brought back."""

    steps: Sequence[Step]
    archived: bool

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        change = feedstocks.archive if self.archived else feedstocks.unarchive
        for step in self.steps:
            if step.fate is Fate.WOULD_BE_DONE:
                change(connection, channel.name, str(step.entry), actor)


def plan_archiving(
    connection: Connection, channel: Channel, work: Archiving, caller: Caller
) -> ArchivingPlan:
    """Plan to archive feedstocks, or to bring them back."""
    found = feedstocks.find_each(connection, channel.id, [entry.feedstock for entry in work.entries])

    def step(entry: Entry, name: str) -> Step:
        refused = refusal_of_feedstock(entry, channel, found.get(name), name, caller)
        if refused is not None:
            return refused
        is_so = (found[name].archived_ms is not None) == work.archived
        return Step(entry, Fate.UNCHANGED if is_so else Fate.WOULD_BE_DONE)

    return ArchivingPlan([step(entry, entry.feedstock) for entry in work.entries], work.archived)


def refusal_of_feedstock(
    entry: Entry, channel: Channel, feedstock: Feedstock | None, name: str, caller: Caller
) -> Step | None:
    """Refuse an entry about a feedstock that the caller may not change, or that is not there."""
    refusal = caller.refusal(entry, Verb.CONFIGURE, channel.name)
    if refusal is None and feedstock is None:
        refusal = Step.refused(entry, FeedstockMissing(channel.name, name))
    return refusal


@dataclass(frozen=True, slots=True)
class RegisteringPlan:
    """Outputs and globs to be registered for feedstocks, or taken off."""

    steps: Sequence[Step]
    todo: Sequence[tuple[FeedstockOutput, Feedstock]]
    registered: bool

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        if not self.todo:
            return
        revision = channels.next_revision(connection, channel)
        names = [(entry.name, feedstock) for entry, feedstock in self.todo if not entry.is_glob]
        globs: dict[Feedstock, list[str]] = {}
        for entry, feedstock in self.todo:
            if entry.is_glob:
                globs.setdefault(feedstock, []).append(entry.name)
        if self.registered:
            keyed = {one: [KeyedGlob(glob, core_of(glob)) for glob in some] for one, some in globs.items()}
            outputs.register_each(connection, channel, names, actor, revision=revision)
            outputs.add_globs(connection, channel, keyed, actor, revision=revision)
        else:
            outputs.remove_each(connection, channel, names, actor, revision=revision)
            outputs.remove_globs(connection, channel, globs, actor, revision=revision)


def plan_registering(
    connection: Connection, channel: Channel, work: Registering, caller: Caller
) -> RegisteringPlan:
    """Plan to register outputs and globs for feedstocks, or to take them off."""
    found = feedstocks.find_each(connection, channel.id, [entry.feedstock for entry in work.entries])
    registered = outputs.owners(
        connection, channel.id, [entry.name for entry in work.entries if not entry.is_glob]
    )
    named: dict[str, list[str]] = {}
    for entry in work.entries:
        named.setdefault(entry.feedstock, []).append(entry.name)
    globs = {name: outputs.globs_among(connection, one, named[name]) for name, one in found.items()}
    staying = {
        name: [] if work.registered else _staying(connection, feedstock, named[name])
        for name, feedstock in found.items()
    }
    steps: list[Step] = []
    todo: list[tuple[FeedstockOutput, Feedstock]] = []
    for entry in work.entries:
        feedstock = found.get(entry.feedstock)
        refusal = refusal_of_feedstock(entry, channel, feedstock, entry.feedstock, caller)
        if refusal is not None or feedstock is None:
            steps.extend([refusal] if refusal is not None else [])
            continue
        owners = registered.get(entry.name.lower(), ())
        is_there = entry.name in globs[feedstock.name] if entry.is_glob else feedstock.name in owners
        if is_there == work.registered:
            steps.append(Step(entry, Fate.UNCHANGED))
            continue
        todo.append((entry, feedstock))
        note = _note(entry, owners, staying[feedstock.name], registered=work.registered)
        steps.append(Step(entry, Fate.WOULD_BE_DONE, note))
    return RegisteringPlan(steps, todo, work.registered)


def _staying(connection: Connection, feedstock: Feedstock, going: Sequence[str]) -> list[str]:
    """List the globs that are left to a feedstock; none where they are too many to compare all names with."""
    if outputs.count_globs(connection, feedstock) * len(going) > _MOST_COMPARED:
        return []
    gone = frozenset(going)
    return [glob for glob in outputs.globs_of(connection, feedstock.id) if glob not in gone]


def _note(entry: FeedstockOutput, owners: Sequence[str], globs: Sequence[str], *, registered: bool) -> str:
    """Say what whoever asked may not expect: that an output has more feedstocks, or goes on being allowed."""
    if entry.is_glob:
        return ""
    if registered:
        return f"It is registered for {', '.join(owners)} as well." if owners else ""
    glob = next((glob for glob in globs if matches(glob, entry.name)), None)
    return f"The glob {glob!r} of the feedstock goes on matching it." if glob is not None else ""
