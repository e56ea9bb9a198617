"""Following the chain of the audit from seal to seal: does each follow from the one before it? Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from channeld.catalog.chain import START, Entry, Noted, Seal, entries_of, head_of, ids_listed
from channeld.catalog.tampering import Finding

#: How many possible heads are kept in mind behind seals that do not follow.
_MOST_HEADS: Final = 8


@dataclass(frozen=True, slots=True)
class Link:
    """What a seal turned out to be."""

    finding: Finding | None = None
    #: What it says of its rows; None where that proves nothing.
    entries: list[Entry] | None = None


class Links:
    """Takes the seals of a chain, in the order of their last_id.

    One that does not follow is told, and the chain is taken up again behind it: whether it was changed or put in
    shows only in what the next one follows from, so both are held possible.
    """

    def __init__(self, noted: Noted | None = None) -> None:
        self._noted = noted
        #: What the next seal may follow from.
        self._heads = {START.hash}
        self._firsts = {START.last_id + 1}
        self.end = START
        #: Whether the noted head was met; true where there is none.
        self.met = noted is None or self._is_noted(START.last_id, {START.hash})

    def follow(self, seal: Seal, following: Seal | None) -> Link:
        """Look at the next seal, and at the one after it, should there be one."""
        self.end = seal.end
        entries = entries_of(seal)
        computed = {_head(seal, before) for before in self._heads}
        self.met = self.met or self._is_noted(seal.last_id, {seal.head, *computed})
        if entries is not None and self._follows(seal):
            self._go_on(seal)
            return Link(entries=entries)
        if entries is not None and self._leaves_gap(seal, following):
            finding = Finding("seal_missing", max(self._firsts), seal.first_id - 1)
            self._go_on(seal)
            return Link(finding, entries)
        finding = self._changed(seal)
        if len(self._heads) > _MOST_HEADS:
            self._go_on(seal)
        else:
            self._heads |= {seal.head, *computed}
            self._firsts |= {seal.last_id + 1, *(last + 1 for last in ids_listed(seal)[-1:])}
        return Link(finding)

    def _is_noted(self, last_id: int, heads: set[bytes]) -> bool:
        noted = self._noted
        return noted is not None and noted.last_id in (None, last_id) and noted.hash in heads

    def _follows(self, seal: Seal) -> bool:
        return seal.first_id in self._firsts and any(_head(seal, head) == seal.head for head in self._heads)

    def _leaves_gap(self, seal: Seal, following: Seal | None) -> bool:
        """Tell whether a seal before this one is missing."""
        if seal.first_id <= max(self._firsts):
            return False
        if following is not None and self._follows(following):  # this one was put in
            return False
        # where it follows but for its first_id, that was changed
        return not any(self._follows(replace(seal, first_id=first)) for first in self._firsts)

    def _changed(self, seal: Seal) -> Finding:
        listed = ids_listed(seal)
        if listed:
            return Finding("seal_changed", listed[0], listed[-1], seal.last_id)
        first = max((first for first in self._firsts if first <= seal.last_id), default=seal.last_id)
        return Finding("seal_changed", first, seal.last_id, seal.last_id)

    def _go_on(self, seal: Seal) -> None:
        self._heads, self._firsts = {seal.head}, {seal.last_id + 1}


def _head(seal: Seal, before: bytes) -> bytes:
    return head_of(before, seal.first_id, seal.last_id, seal.sealed_ms, seal.rows)
