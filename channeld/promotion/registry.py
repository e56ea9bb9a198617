"""The registry of outputs of a running server: how outputs stand to feedstocks, asked of the catalog.

Nothing is kept in memory: a glob is found in the catalog by its core, so what is asked inside a transaction is answered
as that transaction sees it, whichever process changed a glob last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from channeld.catalog import outputs
from channeld.formats.rejections import BadName
from channeld.promotion.globs import matches, parts_of
from channeld.promotion.outputs import Standing, standing


@dataclass(frozen=True, slots=True)
class Publishers:
    """Who may publish an output."""

    #: The feedstocks that it is registered for, in the order of registration.
    registered: tuple[str, ...]
    #: The feedstocks with globs that match its name, and the longest of these; by name.
    matched: Mapping[str, str]


class OutputRegistry:
    """Answers from the catalog. Thread safe."""

    def standings(
        self, connection: Connection, channel_id: int, feedstock: str, names: Iterable[str]
    ) -> dict[str, Standing]:
        """Tell how outputs stand to a feedstock, by the names that were asked for.

        What is no name of a package is nobody's. Archived feedstocks keep what is theirs.
        """
        wanted = list(dict.fromkeys(names))
        owned = outputs.owners(connection, channel_id, filter(_is_name, wanted))
        theirs = {name: owned.get(name.lower()) for name in wanted}
        unsettled = [name for name, whose in theirs.items() if feedstock not in (whose or ())]
        matched = _matched(connection, channel_id, unsettled)
        return {name: standing(feedstock, whose, matched.get(name, {})) for name, whose in theirs.items()}

    def publishers(self, connection: Connection, channel_id: int, name: str) -> Publishers:
        """Tell who may publish an output: archived feedstocks too, which may not while they are archived.

        Raises:
            BadName: the name is that of no package.
        """
        registered = outputs.owners(connection, channel_id, [outputs.output_name(name)])
        matched = _matched(connection, channel_id, [name]).get(name, {})
        return Publishers(registered.get(name.lower(), ()), dict(sorted(matched.items())))


def _telling(glob: str) -> tuple[int, str]:
    """Order the globs of one feedstock that match: the longest one tells most."""
    return len(glob), glob


def _is_name(text: str) -> bool:
    try:
        outputs.output_name(text)
    except BadName:
        return False
    return True


def _matched(connection: Connection, channel_id: int, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the feedstocks with a glob that matches, and that glob, for each of the names."""
    having: dict[str, list[str]] = {}
    for name in filter(_is_name, names):
        for part in parts_of(name):
            having.setdefault(part, []).append(name)
    found: dict[str, dict[str, str]] = {}
    for keyed, feedstock in outputs.globs_with(connection, channel_id, having) if having else ():
        for name in having[keyed.core]:
            if matches(keyed.glob, name):
                theirs = found.setdefault(name, {})
                theirs[feedstock] = max(theirs.get(feedstock, ""), keyed.glob, key=_telling)
    return found
