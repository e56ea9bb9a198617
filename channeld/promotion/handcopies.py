"""Copies by hand: files of other channels, named by their hashes (conda-forge's CFEP-3). Planned, checked, carried out.

Unlike a promotion a copy by hand may come from any channel of the server, from another label than the one that it goes
to, and asks no registry of outputs. Its bytes are read, hashed and validated again all the same. What was deleted from
the target does not come back: a request that is applied again must not undo that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection

from channeld.catalog import candidates, channels, copies, copying, files, labels, selection
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.copies import Pin
from channeld.catalog.copying import CopyOfBroken
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.catalog.labels import BROKEN
from channeld.catalog.rejections import ChannelMissing, FileConflict, FileMissing
from channeld.catalog.selection import StoredFile
from channeld.errors import Rejected
from channeld.formats.names import FileName
from channeld.promotion.checking import Beat, Checker, naming_of
from channeld.promotion.requestplans import Caller, Fate, Step
from channeld.promotion.requests import CopiedFile, Copying


@dataclass(eq=False)
class CopyIntoItself(Rejected):
    """A file would be copied to where it is; what is meant is a label."""

    channel: str

    advice: ClassVar[str] = "Put the label on it with `channeld label add`."

    def sentence(self) -> str:
        return f"The file is in the channel {self.channel!r} itself."


@dataclass(eq=False)
class NotUnderLabel(Rejected):
    """The source has the file, and the label does not show it."""

    channel: str
    file: str
    label: str
    labels: tuple[str, ...]

    advice: ClassVar[str] = "Name a label that it carries: <channel>/label/<label>/<subdir>/<file name>."

    def sentence(self) -> str:
        carried = f"it carries {', '.join(self.labels)}" if self.labels else "it carries none"
        return f"{self.channel}/{self.file} does not carry the label {self.label!r}; {carried}."


@dataclass(eq=False)
class OtherBytes(Rejected):
    """The source has other bytes under the name than those that were reviewed."""

    channel: str
    file: str
    stored_sha256: tuple[str, ...]
    asked_sha256: str

    advice: ClassVar[str] = "Review what is there, and ask for it by its sha256."

    def sentence(self) -> str:
        there = ", ".join(self.stored_sha256)
        return (
            f"The channel {self.channel!r} has other bytes under {self.file}: "
            f"sha256 {there} there, sha256 {self.asked_sha256} asked for."
        )


@dataclass(eq=False)
class DeletedThere(Rejected):
    """The target had the file, and somebody deleted it."""

    channel: str
    file: str

    advice: ClassVar[str] = "Upload it again if its deletion was a mistake."

    def sentence(self) -> str:
        return f"{self.file} was deleted from the channel {self.channel!r}."


@dataclass(eq=False)
class BytesUnfit(Rejected):
    """The stored bytes are not what they should be. ``problem`` completes "<file> …"."""

    file: str
    problem: str

    advice: ClassVar[str] = "Upload it to the source again, under another build number if it differs."

    def sentence(self) -> str:
        return f"{self.file} {self.problem.removesuffix('.')}."


@dataclass(eq=False)
class ChangedMeanwhile(Rejected):
    """What was checked is not what would be copied now."""

    file: str

    advice: ClassVar[str] = "Apply the request again."

    def sentence(self) -> str:
        return f"{self.file} was changed while it was being checked."


@dataclass(frozen=True, slots=True)
class Checked:
    """Bytes that were read: ``problem`` says what is wrong with them, and is empty where nothing is."""

    pin: Pin
    problem: str


@dataclass(frozen=True, slots=True)
class CopyingPlan:
    """Files to be copied, with the bytes that they have."""

    steps: Sequence[Step]
    #: By the keys of the entries that are to be copied.
    pins: Mapping[str, Pin]
    label: str

    def carry_out(self, connection: Connection, channel: Channel, actor: Actor) -> None:
        for pin in self.pins.values():
            artifact = copying.artifact_of(connection, pin.artifact_id)
            files.add(connection, channel.name, artifact, (self.label,), actor)


def check(
    plan: CopyingPlan, channel: Channel, checker: Checker, beat: Beat = lambda: None
) -> dict[str, Checked]:
    """Read, hash and validate the bytes of what is to be copied; by the keys of the entries. Blocks.

    Args:
        beat: called every so often; what it raises ends the reading.

    Raises:
        DiskUnavailable: they could not be read now.
    """
    naming = naming_of(channel)
    return {key: Checked(pin, checker.problem_of(pin, naming, beat)) for key, pin in plan.pins.items()}


def plan_copying(
    connection: Connection,
    channel: Channel,
    work: Copying,
    caller: Caller,
    checks: Mapping[str, Checked] | None = None,
) -> CopyingPlan:
    """Plan to copy files into a channel.

    Args:
        checks: what ``check`` found; None before it was asked.
    """
    steps: list[Step] = []
    pins: dict[str, Pin] = {}
    for entry in work.entries:
        refusal = caller.refusal(entry, Verb.UPLOAD, channel.name, work.label, entry.dist.file.name)
        refusal = refusal or _refusal_of_reader(connection, entry, caller)
        if refusal is not None:
            steps.append(refusal)
            continue
        try:
            file = _found(connection, channel, entry)
            there = _is_there(connection, channel, entry, work.label)
            pin = Pin(file.subdir, file.filename, file.artifact_id, file.sha256, file.md5, file.size)
            if not there and checks is not None:
                _check_is_sound(pin, checks.get(entry.key))
        except Rejected as error:
            steps.append(Step.refused(entry, error))
            continue
        steps.append(Step(entry, Fate.UNCHANGED if there else Fate.WOULD_BE_DONE))
        if not there:
            pins[entry.key] = pin
    return CopyingPlan(steps, pins, work.label)


def _refusal_of_reader(connection: Connection, entry: CopiedFile, caller: Caller) -> Step | None:
    """Refuse what is in a private channel that the caller may not read."""
    source = channels.find(connection, entry.source)
    if source is None or not source.settings.private:
        return None
    if may_allow(caller.grants, Verb.READ, source.name, entry.label):
        return None
    text = missing(caller.grants, Verb.READ, source.name, entry.label)
    return Step(entry, Fate.REFUSED, text, "not_allowed")


def _found(connection: Connection, channel: Channel, entry: CopiedFile) -> StoredFile:
    """Find the very file that is meant; raises ``Rejected`` where the source does not show it."""
    source = channels.find(connection, entry.source)
    if source is None:
        raise ChannelMissing(entry.source)
    if source.id == channel.id:
        raise CopyIntoItself(channel.name)
    stored = _stored(connection, source, entry)
    if not stored:
        raise FileMissing(source.name, entry.dist.subdir, str(entry.dist.file))
    meant = [(file, carried) for file, carried in stored if file.sha256 == entry.sha256]
    if not meant:
        hashes = tuple(dict.fromkeys(file.sha256 for file, _ in stored))
        raise OtherBytes(source.name, str(entry.dist), hashes, entry.sha256)
    shown = [file for file, carried in meant if entry.label in carried]
    if not shown:
        raise NotUnderLabel(source.name, str(entry.dist), entry.label, meant[-1][1])
    if shown[-1].broken and entry.label != BROKEN:
        raise CopyOfBroken(source.name, entry.dist.subdir, str(entry.dist.file))
    return shown[-1]


def _stored(
    connection: Connection, source: Channel, entry: CopiedFile
) -> list[tuple[StoredFile, tuple[str, ...]]]:
    """List what a channel has under a name, with labels: of a staging channel every candidate."""
    subdir, filename = entry.dist.subdir, str(entry.dist.file)
    if candidates.is_staging(source):
        listed = candidates.candidates_for_copy(connection, source, subdir, filename)
        return [(each.file, each.labels) for each in listed]
    return [
        (file, tuple(selection.label_names_of(connection, file.id)))
        for file in selection.candidates(connection, source, subdir, filename)
    ]


def _is_there(connection: Connection, channel: Channel, entry: CopiedFile, label: str) -> bool:
    """Tell whether the target has the file under the label; raises ``Rejected`` where it cannot have it."""
    subdir, filename = entry.dist.subdir, str(entry.dist.file)
    FileName.parse(filename, naming_of(channel))
    held = selection.candidates(connection, channel, subdir, filename, deleted=True)
    carried: Sequence[str] = ()
    if held:
        file = held[-1]
        if file.sha256 != entry.sha256:
            raise FileConflict(
                channel.name, subdir, filename, file.sha256, entry.sha256, file.deleted_ms is not None
            )
        if file.deleted_ms is not None:
            raise DeletedThere(channel.name, str(entry.dist))
        carried = selection.label_names_of(connection, file.id)
    if label in carried:
        return True
    labels.check_open(connection, channel, [label])
    return False


def _check_is_sound(pin: Pin, checked: Checked | None) -> None:
    """Make sure that these very bytes were found in order; raises ``Rejected``."""
    file = f"{pin.subdir}/{pin.filename}"
    if checked is None or checked.pin != pin:
        raise ChangedMeanwhile(file)
    if checked.problem:
        raise BytesUnfit(file, checked.problem)


def hold(connection: Connection, plan: CopyingPlan, checker: Checker) -> CopyingPlan:
    """Keep the bytes of a plan from being swept until the transaction ends; refuse what has lost them."""
    held = copies.hold(connection, (pin.artifact_id for pin in plan.pins.values()))

    def held_on_to(step: Step) -> Step:
        pin = plan.pins.get(step.entry.key)
        if pin is None or (pin.artifact_id in held and checker.blobs.holds(pin.sha256, pin.size)):
            return step
        return Step.refused(step.entry, BytesUnfit(str(step.entry), "has lost its stored bytes"))

    return CopyingPlan([held_on_to(step) for step in plan.steps], plan.pins, plan.label)
