"""Which channels a channel builds upon or overrides (CEP 42), and what a reference to one may look like."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from channeld.errors import Rejected
from channeld.formats.rejections import shown

#: Its parts are those of a channel base URL (CEP 26) or "..".
_REFERENCE: Final = re.compile(r"\.\.(?:/(?:\.\.|[A-Za-z0-9_][A-Za-z0-9_.-]*))+")
_REFERENCE_LIMIT: Final = 256


class BadRelation(Rejected):
    """A relation between channels that clients would refuse or misread."""


@dataclass(eq=False)
class RelationUnknown(BadRelation):
    kind: str

    def sentence(self) -> str:
        return f"There is no channel relation called {self.kind!r}."

    advice = "A channel may have a 'base' and an 'overrides' (CEP 42)."


@dataclass(eq=False)
class ReferenceMalformed(BadRelation):
    kind: str
    reference: str

    def sentence(self) -> str:
        return f"{self.reference!r}, given as {self.kind}, is not a reference to a channel."

    advice = (
        "Write the path from this channel to the other one, beginning with '../', such as '../conda-forge'."
    )


@dataclass(eq=False)
class RelationToItself(BadRelation):
    kind: str
    reference: str
    channel: str

    def sentence(self) -> str:
        return f"{self.reference!r}, given as {self.kind}, leads from {self.channel!r} back to itself."

    advice = "Name another channel: clients refuse relations that go in a circle (CEP 42)."


@dataclass(eq=False)
class RelationsAgree(BadRelation):
    base: str
    overrides: str

    def sentence(self) -> str:
        return f"The base {self.base!r} and the overridden channel {self.overrides!r} are the same channel."

    advice = "A channel comes before this one or after it, not both: drop one of the two (CEP 42)."


@dataclass(frozen=True, slots=True)
class ChannelRelations:
    """``info.channel_relations``: references are relative to the channel's own base URL, without the subdir."""

    #: The channel to be preferred to this one.
    base: str | None = None
    #: The channel that this one is preferred to.
    overrides: str | None = None

    @classmethod
    def parse(cls, value: Mapping[str, Any], channel: str) -> Self:
        """Read and check relations.

        Args:
            value: the JSON object, with ``base``, ``overrides``, both or neither.
            channel: the path of the channel that declares them, such as ``main`` or ``main/label/rc``.

        Raises:
            RelationUnknown, ReferenceMalformed, RelationToItself, RelationsAgree
        """
        for kind in value:
            if kind not in cls.__slots__:
                raise RelationUnknown(shown(kind))
        given = {kind: reference for kind, reference in value.items() if reference is not None}
        leads_to = {kind: _resolve(kind, reference, channel) for kind, reference in given.items()}
        if len(leads_to) > len(set(leads_to.values())):
            raise RelationsAgree(given["base"], given["overrides"])
        return cls(**given)

    def document(self) -> dict[str, str]:
        """Return the JSON value, empty where there is no relation."""
        fields = {"base": self.base, "overrides": self.overrides}
        return {kind: reference for kind, reference in fields.items() if reference}


NO_RELATIONS: Final = ChannelRelations()


def _resolve(kind: str, reference: object, channel: str) -> str:
    """Return the path that a reference leads to. It may lead out of this server's channels, to its neighbours."""
    if (
        not isinstance(reference, str)
        or len(reference) > _REFERENCE_LIMIT
        or not _REFERENCE.fullmatch(reference)
    ):
        raise ReferenceMalformed(kind, shown(reference))
    path = posixpath.normpath(posixpath.join(channel, reference))
    if path == posixpath.normpath(channel):
        raise RelationToItself(kind, reference, channel)
    return path
