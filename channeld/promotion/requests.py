"""Requests as data: what conda-forge's maintainers ask of its administrators by a file (``admin-requests``). Pure.

One file is one request: an action, and the entries that it is about. Names of actions and keys are conda-forge's where
it has them. ``channeld.promotion.requestreading`` reads files, ``channeld.promotion.applying`` does what they say.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar, Final

from channeld.errors import Rejected
from channeld.promotion.distnames import DistName
from channeld.promotion.globs import is_glob


class Action(enum.StrEnum):
    """What is asked for."""

    BROKEN = "broken"
    NOT_BROKEN = "not_broken"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    ADD_OUTPUT = "add_feedstock_output"
    #: conda-forge has none: there, somebody edits the registry by hand.
    REMOVE_OUTPUT = "remove_feedstock_output"
    TOKEN_RESET = "token_reset"  # noqa: S105 - the name of an action
    COPY = "cfep3_copy"


#: What conda-forge's administrators do elsewhere than in a channel, and why it cannot be done here.
FOREIGN_ACTIONS: Final = {
    **dict.fromkeys(("archive_branch", "unarchive_branch"), "a branch of a git repository"),
    **dict.fromkeys(
        ("travis", "cirun", "blacksmith", "cirrus_runners", "namespace", "depot"),
        "access to a CI service",
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request. ``text`` completes "<key> …"."""

    #: Where it stands: ``packages[2]``, or "" for the file as a whole.
    key: str
    text: str
    #: The line of the file; 0 where it is not known.
    line: int = 0

    def __str__(self) -> str:
        return f"{self.key or 'it'} {self.text}"


@dataclass(eq=False)
class RequestMalformed(Rejected):
    """A request that cannot be understood, with everything that is wrong with it."""

    name: str
    problems: tuple[Problem, ...]

    advice: ClassVar[str] = "Correct it and apply it again; nothing of it was done."

    def sentence(self) -> str:
        first, *others = self.problems
        where = f" on line {first.line}" if first.line else ""
        more = f" (and {len(others)} more)" if others else ""
        return f"{self.name} is no request that can be applied: {first}{where}{more}."


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """A file to be marked as broken, or no longer."""

    key: str
    dist: DistName

    def __str__(self) -> str:
        return str(self.dist)


@dataclass(frozen=True, slots=True)
class NamedFeedstock:
    """A feedstock, without ``-feedstock``."""

    key: str
    feedstock: str

    def __str__(self) -> str:
        return self.feedstock


@dataclass(frozen=True, slots=True)
class FeedstockOutput:
    """An output of a feedstock, or a glob."""

    key: str
    feedstock: str
    name: str

    @property
    def is_glob(self) -> bool:
        return is_glob(self.name)

    def __str__(self) -> str:
        return f"{self.feedstock}: {self.name}"


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file to be copied, with these bytes and no others, from what a label of a channel shows."""

    key: str
    source: str
    label: str
    dist: DistName
    sha256: str

    def __str__(self) -> str:
        return f"{self.source}/label/{self.label}/{self.dist}"


@dataclass(frozen=True, slots=True)
class Marking:
    """Mark files as broken, or take the mark off."""

    broken: bool
    entries: tuple[MarkedFile, ...]


@dataclass(frozen=True, slots=True)
class Archiving:
    """Archive feedstocks, or bring them back."""

    archived: bool
    entries: tuple[NamedFeedstock, ...]


@dataclass(frozen=True, slots=True)
class Registering:
    """Register outputs and globs for feedstocks, or take them off."""

    registered: bool
    entries: tuple[FeedstockOutput, ...]


@dataclass(frozen=True, slots=True)
class TokenReset:
    """Make feedstocks new tokens, and end those that they have."""

    entries: tuple[NamedFeedstock, ...]
    #: A token for each of these CI services.
    providers: tuple[str, ...]
    #: How long the tokens of today go on working; 0 for no longer.
    overlap_seconds: int


@dataclass(frozen=True, slots=True)
class Copying:
    """Copy files from other channels to a label."""

    label: str
    entries: tuple[CopiedFile, ...]


Work = Marking | Archiving | Registering | TokenReset | Copying
Entry = MarkedFile | NamedFeedstock | FeedstockOutput | CopiedFile


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    action: Action
    work: Work
    #: The channel that it is about; "" where the file does not say.
    channel: str = ""
    #: Why; kept in the audit.
    reason: str = ""
