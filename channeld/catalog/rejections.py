"""What the catalog refuses, one class for each rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from channeld.errors import Rejected


@dataclass(eq=False)
class ChannelMissing(Rejected):
    """There is no such channel, or the asker may not know of it."""

    channel: str

    advice: ClassVar[str] = "Check the name, or create it with `channeld channel create`."

    def sentence(self) -> str:
        return f"There is no channel {self.channel!r}."


@dataclass(eq=False)
class ChannelExists(Rejected):
    """A channel of that name is there already, with other properties than asked for."""

    channel: str

    advice: ClassVar[str] = "Choose another name, or change it with `channeld channel configure`."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} exists already."


@dataclass(eq=False)
class ChannelNotEmpty(Rejected):
    """A channel that still has files is deleted only on explicit demand."""

    channel: str
    files: int

    advice: ClassVar[str] = (
        "Delete its files first, or ask for the deletion of everything in it with `force`."
    )

    def sentence(self) -> str:
        return f"The channel {self.channel!r} still has {self.files} files."


@dataclass(eq=False)
class LabelMissing(Rejected):
    """The channel has no such label."""

    channel: str
    label: str

    advice: ClassVar[str] = "Check the spelling, or create the label first."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} has no label {self.label!r}."


@dataclass(eq=False)
class LabelLocked(Rejected):
    """A locked label takes no change."""

    channel: str
    label: str

    advice: ClassVar[str] = "Unlock it first."

    def sentence(self) -> str:
        return f"The label {self.label!r} of the channel {self.channel!r} is locked."


@dataclass(eq=False)
class LabelPermanent(Rejected):
    """``main`` stands for the channel itself and cannot be dropped."""

    channel: str
    label: str

    advice: ClassVar[str] = "Remove it from single files instead."

    def sentence(self) -> str:
        return f"The label {self.label!r} of the channel {self.channel!r} cannot be deleted."


@dataclass(eq=False)
class FileMissing(Rejected):
    """The channel has no such file."""

    channel: str
    subdir: str
    filename: str

    advice: ClassVar[str] = "Check the channel, the subdir and the file name."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} has no file {self.subdir}/{self.filename}."


@dataclass(eq=False)
class PackageMissing(Rejected):
    """The channel has no file of a package, or none of that version; ``version`` is empty where none was named."""

    channel: str
    name: str
    version: str

    advice: ClassVar[str] = "Check the channel, the name of the package and the version."

    def sentence(self) -> str:
        version = f" in the version {self.version!r}" if self.version else ""
        return f"The channel {self.channel!r} has no package {self.name!r}{version}."


@dataclass(eq=False)
class FileConflict(Rejected):
    """File names are immutable: one name, one content, for ever."""

    channel: str
    subdir: str
    filename: str
    stored_sha256: str
    offered_sha256: str
    deleted: bool

    advice: ClassVar[str] = "Build again with a higher build number and upload that."

    def sentence(self) -> str:
        state = "held, before it was deleted," if self.deleted else "holds"
        return (
            f"The channel {self.channel!r} {state} other bytes under {self.subdir}/{self.filename}: "
            f"sha256 {self.stored_sha256} there, sha256 {self.offered_sha256} offered."
        )


@dataclass(eq=False)
class CandidateAmbiguous(Rejected):
    """Several candidates share the file name; an action on one of them has to name its hash."""

    channel: str
    subdir: str
    filename: str
    candidates: tuple[str, ...]

    advice: ClassVar[str] = "Name the sha256 of the one that is meant."

    def sentence(self) -> str:
        return f"{self.channel}/{self.subdir}/{self.filename} has {len(self.candidates)} candidates."


@dataclass(eq=False)
class NothingSelected(Rejected):
    """An action on files does not say on which."""

    channel: str

    advice: ClassVar[str] = (
        "Name a file, a package or a label: an action never means a whole channel by accident."
    )

    def sentence(self) -> str:
        return f"It is not said which files of the channel {self.channel!r} are meant."


@dataclass(eq=False)
class LabelBothWays(Rejected):
    """The same label is to be put on and taken off."""

    labels: tuple[str, ...]

    advice: ClassVar[str] = "Leave it out of one of the two."

    def sentence(self) -> str:
        return f"{', '.join(map(repr, self.labels))} would be added and removed at once."


@dataclass(eq=False)
class TokenMissing(Rejected):
    """There is no such token."""

    token_id: str

    advice: ClassVar[str] = "List the tokens to see their ids."

    def sentence(self) -> str:
        return f"There is no token with the id {self.token_id!r}."


@dataclass(eq=False)
class NoticeMissing(Rejected):
    """The channel has no such notice."""

    channel: str
    notice_id: str

    advice: ClassVar[str] = "List the channel's notices to see their ids."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} has no notice {self.notice_id!r}."


@dataclass(eq=False)
class BadSettingValue(Rejected):
    """A property of a channel or label was given a value that it cannot have."""

    field: str
    value: str
    allowed: str

    def sentence(self) -> str:
        return f"{self.field} cannot be {self.value!r}; it is {self.allowed}."


@dataclass(eq=False)
class ValueUnstorable(Rejected):
    """A text or number that the database cannot keep, and so cannot look for either."""

    problem: str

    advice: ClassVar[str] = "Leave out control characters, and keep numbers below 2^63."

    def sentence(self) -> str:
        return f"One of the values cannot be kept: {self.problem}."


@dataclass(eq=False)
class DatabaseUnsupported(Rejected):
    """The catalog is to be kept in something that cannot keep it. The URL itself may hold a password: not told."""

    found: str

    advice: ClassVar[str] = "Give a URL of the form sqlite:///path or postgresql://user:password@host/name."

    def sentence(self) -> str:
        return f"The catalog cannot be kept in {self.found}."


@dataclass(eq=False)
class SchemaTooNew(Rejected):
    """A newer channeld has changed the tables; this one does not know what they mean now."""

    found: str
    known: str

    advice: ClassVar[str] = "Run the newer channeld, or restore the backup that was made before it."

    def sentence(self) -> str:
        return f"The catalog's tables have the revision {self.found!r}; this channeld knows up to {self.known!r}."


@dataclass(eq=False)
class SchemaTooOld(Rejected):
    """The tables have not been brought to what this channeld works with."""

    found: str
    needed: str

    advice: ClassVar[str] = "Start the server once, or bring them up to date by hand."

    def sentence(self) -> str:
        return (
            f"The catalog's tables have the revision {self.found or 'none'!r}; "
            f"this channeld needs {self.needed!r}."
        )


@dataclass(eq=False)
class GrantMalformed(Rejected):
    """A right that a token is to have cannot be understood."""

    field: str
    value: str
    allowed: str

    def sentence(self) -> str:
        return f"The {self.field} of a grant cannot be {self.value!r}; it is {self.allowed}."
