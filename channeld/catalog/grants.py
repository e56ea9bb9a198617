"""Grants: what a token may do, on which channels, labels and packages. Pure.

A grant allows its verbs where all three of its patterns match. In a pattern ``*`` stands for any run of characters,
also an empty one and one with slashes; ``?`` for any one; everything else for itself.

An action that is about no label (or no package) in particular touches all of them: only a grant whose pattern is
``*`` allows it. So whoever forgets to name the label asks for more than needed, never for less.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from channeld.catalog.rejections import GrantMalformed
from channeld.formats.rejections import shown

ALL: Final = "*"
PATTERN_LIMIT: Final = 256  # characters; no name is longer

_PATTERN: Final = re.compile(r"[A-Za-z0-9_.+!/*?-]+")


class Verb(enum.StrEnum):
    """What a token may be allowed to do."""

    #: See a private channel: its documents, files and notices. Public channels are everybody's.
    READ = "read"
    #: Put files that are new to the channel under labels, by upload or by copying from a channel it may read.
    UPLOAD = "upload"
    #: Put labels on files that are there and take them off. Marking as broken is putting on the label ``broken``.
    LABEL = "label"
    #: Delete files; asked for each label that the file carries.
    DELETE = "delete"
    #: Change how a channel is: its settings, labels as such (create, lock, relate, drop), notices, patches, rollback.
    CONFIGURE = "configure"
    #: Create and delete channels; with no channel named: tokens, the audit of all channels, the server itself.
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing that a token may do; see the module's text for the patterns."""

    verbs: frozenset[Verb]
    channels: str = ALL
    labels: str = ALL
    packages: str = ALL

    def as_json(self) -> dict[str, Any]:
        """Return the grant as JSON-ready values, under the names of the fields."""
        return {
            "verbs": sorted(self.verbs),
            "channels": self.channels,
            "labels": self.labels,
            "packages": self.packages,
        }

    @classmethod
    def parse(cls, value: object) -> Grant:
        """Read a grant as somebody wrote it: ``{"verbs": [...], "channels": pattern, ...}``; no pattern means all.

        Raises:
            GrantMalformed: a field or verb that there is not, no verb at all, or a pattern that can match no name.
        """
        if not isinstance(value, Mapping):
            raise GrantMalformed(
                "grant", shown(value), "an object with 'verbs', 'channels', 'labels', 'packages'"
            )
        rest = {**value}
        verbs = _verbs(rest.pop("verbs", None))
        patterns = {name: _pattern(name, rest.pop(name, ALL)) for name in ("channels", "labels", "packages")}
        if rest:
            raise GrantMalformed(
                "field", shown(next(iter(rest))), "'verbs', 'channels', 'labels' or 'packages'"
            )
        return cls(verbs, **patterns)

    @classmethod
    def stored(cls, value: Mapping[str, Any]) -> Grant:
        """Read a grant that was checked before. A verb that only a newer program knows allows nothing here."""
        known = frozenset(verb for verb in Verb if verb in value["verbs"])
        return cls(known, value["channels"], value["labels"], value["packages"])


def _verbs(value: object) -> frozenset[Verb]:
    allowed = f"a list of {', '.join(Verb)}"
    if not isinstance(value, (list, tuple)) or not value:
        raise GrantMalformed("verbs", shown(value), allowed)
    for verb in value:
        if verb not in list(Verb):
            raise GrantMalformed("verb", shown(verb), allowed)
    return frozenset(Verb(verb) for verb in value)


def _pattern(field: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > PATTERN_LIMIT or _PATTERN.fullmatch(value) is None:
        raise GrantMalformed(
            field, shown(value), "a name in which '*' stands for anything and '?' for one character"
        )
    return value


#: What an administrator's token may do: everything, everywhere.
ADMINISTRATOR: Final = Grant(frozenset(Verb))


def allows(
    grants: Iterable[Grant],
    verb: Verb,
    channel: str | None,
    label: str | None = None,
    package: str | None = None,
) -> bool:
    """Tell whether an action is allowed. None: it is about no channel, label or package in particular, so about all."""
    return any(
        verb in grant.verbs
        and _covers(grant.channels, channel)
        and _covers(grant.labels, label)
        and _covers(grant.packages, package)
        for grant in grants
    )


def may_allow(
    grants: Iterable[Grant], verb: Verb, channel: str, label: str | None = None, package: str | None = None
) -> bool:
    """Tell whether an action could turn out to be allowed once the label or package that is still None is known.

    For refusing early, before a body is read; what is then asked of ``allows`` decides.
    """
    return any(
        verb in grant.verbs
        and matches(grant.channels, channel)
        and (label is None or matches(grant.labels, label))
        and (package is None or matches(grant.packages, package))
        for grant in grants
    )


def _covers(pattern: str, name: str | None) -> bool:
    return matches(pattern, name) if name is not None else pattern == ALL


def missing(
    grants: Sequence[Grant],
    verb: Verb,
    channel: str | None,
    label: str | None = None,
    package: str | None = None,
) -> str:
    """Say in a sentence what an action that is not allowed would need. Tells nothing that the asker did not name."""
    where = f"the channel {channel!r}" if channel is not None else "the server as a whole"
    here = [grant for grant in grants if verb in grant.verbs and _covers(grant.channels, channel)]
    if not here:
        return f"This needs a token with the right {verb.value!r} on {where}."
    labelled = [grant for grant in here if _covers(grant.labels, label)]
    if not labelled:
        what = f"the label {label!r}" if label is not None else "all labels"
        return f"The token's right {verb.value!r} on {where} does not extend to {what}."
    what = f"the package {package!r}" if package is not None else "all packages"
    return f"The token's right {verb.value!r} on {where} does not extend to {what}."


def matches(pattern: str, name: str) -> bool:
    """Match a whole name. Takes time in proportion to the two lengths' product at worst; nothing is tried twice.

    The runs between stars are placed from left to right, each where it first fits: if any placing of them fits, this
    one does.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return len(first) == len(name) and _fits(first, name, 0)
    *middle, last = rest
    position, end = len(first), len(name) - len(last)
    if position > end or not _fits(first, name, 0) or not _fits(last, name, end):
        return False
    for run in middle:
        while position + len(run) <= end and not _fits(run, name, position):
            position += 1
        position += len(run)
        if position > end:
            return False
    return True


def _fits(run: str, name: str, start: int) -> bool:
    """Tell whether a run without stars matches at a position from which enough of the name is left."""
    return all(
        wanted in ("?", found) for wanted, found in zip(run, name[start : start + len(run)], strict=True)
    )
