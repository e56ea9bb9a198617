"""Which feedstock may publish which output: the registry, as values. Pure.

An output belongs to the feedstocks that it is registered for and to those with a glob that matches its name. An output
of nobody is refused, also for a feedstock that is known and has others: somebody has to register it, or a glob has to
say so. A glob registers the output with its first copy, so that the name stays taken when the glob goes. This is what
conda-forge's webservices do, with ``auto_register_all`` off.

Feedstocks are named without ``-feedstock``; ``bare`` takes it off.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar, Final

from channeld.errors import Rejected
from channeld.formats.names import Naming, check_package_name
from channeld.formats.rejections import shown
from channeld.promotion.globs import GlobIndex, check_glob, is_glob

_SUFFIX: Final = "-feedstock"


@dataclass(eq=False)
class OutputTooShort(Rejected):
    """conda-forge registers no output whose name is one character: that is a slip of the pen in a list."""

    output: str

    advice: ClassVar[str] = "Write the names of outputs as a list, not as one text."

    def sentence(self) -> str:
        return f"Output names of length one are not allowed: {self.output!r}."


class Standing(enum.Enum):
    """How an output stands to a feedstock."""

    #: It is registered for the feedstock.
    REGISTERED = "registered"
    #: A glob of the feedstock matches it, and it is registered, if only for others.
    MATCHED = "matched"
    #: A glob of the feedstock matches it, and nobody has it: with its first copy it is registered.
    NEW = "new"
    #: Others have it.
    FOREIGN = "foreign"
    #: Nobody has it, and no glob of anybody matches it.
    UNKNOWN = "unknown"

    @property
    def allowed(self) -> bool:
        """Whether the feedstock may publish it."""
        return self in (Standing.REGISTERED, Standing.MATCHED, Standing.NEW)


def bare(repository: str) -> str:
    """Return the name of a feedstock from that of its repository."""
    return repository.removesuffix(_SUFFIX)


def standing(feedstock: str, registered: Collection[str] | None, matched: Collection[str]) -> Standing:
    """Tell how an output stands to a feedstock.

    Args:
        feedstock: without ``-feedstock``.
        registered: the feedstocks that the output is registered for; None where it is not registered at all.
        matched: the feedstocks with a glob that matches its name.
    """
    if registered is not None and feedstock in registered:
        return Standing.REGISTERED
    if feedstock in matched:
        return Standing.NEW if registered is None else Standing.MATCHED
    return Standing.FOREIGN if registered or matched else Standing.UNKNOWN


@dataclass(frozen=True, slots=True)
class Globs:
    """The globs of all feedstocks, in the order in which they were given, and their index."""

    by_feedstock: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    index: GlobIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        frozen = MappingProxyType({name: tuple(globs) for name, globs in self.by_feedstock.items()})
        object.__setattr__(self, "by_feedstock", frozen)
        object.__setattr__(self, "index", GlobIndex(frozen))


@dataclass(frozen=True, slots=True)
class Registry:
    """All outputs with their feedstocks, and all globs. A change is a new value."""

    #: Lower-case name of an output → feedstocks, in the order of their registration.
    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    globs: Globs = field(default_factory=Globs)

    def standing(self, output: str, feedstock: str) -> Standing:
        """Tell how an output stands to a feedstock."""
        return standing(feedstock, self.outputs.get(output.lower()), self.globs.index.feedstocks(output))

    def allowed(self, output: str, feedstock: str) -> bool:
        """Tell whether a feedstock may publish an output."""
        return self.standing(output, feedstock).allowed

    def owners(self, output: str) -> frozenset[str]:
        """Return all feedstocks that may publish an output."""
        return self.globs.index.feedstocks(output).union(self.outputs.get(output.lower(), ()))

    def registering(self, output: str, feedstock: str) -> Registry:
        """Register an output for one more feedstock; the same again changes nothing.

        Raises:
            OutputTooShort, BadName: the name is none that an output may have.
        """
        if len(output) == 1:
            raise OutputTooShort(shown(output))
        name = check_package_name(output, Naming.LEGACY).lower()
        there = self.outputs.get(name, ())
        if feedstock in there:
            return self
        return replace(self, outputs={**self.outputs, name: (*there, feedstock)})

    def adding(self, entry: str, feedstock: str) -> Registry:
        """Add what somebody asked for on behalf of a feedstock: an output, or a glob where it looks like one.

        Raises:
            OutputTooShort, BadName, GlobMalformed: it is neither.
        """
        if len(entry) == 1 or not is_glob(entry):
            return self.registering(entry, feedstock)
        there = self.globs.by_feedstock.get(feedstock, ())
        if check_glob(entry) in there:
            return self
        return replace(self, globs=Globs({**self.globs.by_feedstock, feedstock: (*there, entry)}))
