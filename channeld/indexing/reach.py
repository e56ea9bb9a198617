"""What is reached: which pieces the generations that are kept, and the shards, refer to.

A piece is live if a kept generation's documents lead to it, or a row of the channel's shards. A generation refers to
nothing that neither its predecessor had nor its own pack has. So generations may be gone through a few at a time, while
others are published: what they add lies in packs that were begun later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Final

from channeld.catalog import viewlist
from channeld.catalog.database import Database
from channeld.indexing import generation
from channeld.indexing.generation import Documents, Paged
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Place
from channeld.indexing.tables import pages_at, runs_at

_GENERATIONS_AT_ONCE: Final = 50
_SHARDS_AT_ONCE: Final = 5_000
_START_BITS: Final = 48  # a pack is smaller than 256 TiB


class Reached:
    """Places that are reached, as numbers: there may be a million of them."""

    def __init__(self) -> None:
        self._packs: dict[str, int] = {}
        self._places: set[int] = set()

    def add(self, pack: str, start: int) -> bool:
        """Note a place; False when it was noted before."""
        number = self._packs.setdefault(pack, len(self._packs)) << _START_BITS | start
        if number in self._places:
            return False
        self._places.add(number)
        return True

    def has(self, pack: str, start: int) -> bool:
        """Tell whether a place was noted."""
        number = self._packs.get(pack)
        return number is not None and number << _START_BITS | start in self._places

    @property
    def packs(self) -> Collection[str]:
        """Name the packs in which something was noted."""
        return self._packs.keys()


class Walk:
    """Goes through all that one channel keeps, some at a time."""

    def __init__(self, database: Database, packs: Packs, channel_id: int) -> None:
        self.reached = Reached()
        #: Generations of which a part could not be read, as (view id, number); what it refers to is not reached.
        self.damaged: set[tuple[int, int]] = set()
        self._database = database
        self._packs = packs
        self._channel_id = channel_id

    def steps(self) -> Iterator[None]:
        """Walk; between two steps other work may be done."""
        yield from self._generations()
        yield from self._shards()

    def _generations(self) -> Iterator[None]:
        after = (0, 0)
        read = partial(viewlist.generations, channel_id=self._channel_id, limit=_GENERATIONS_AT_ONCE)
        while found := self._database.read_now(partial(read, after=after)):
            for one in found:
                try:
                    reach_documents(self.reached, self._packs, generation.decode(one.documents))
                except PieceDamaged:
                    self.damaged.add((one.view_id, one.number))
            yield
            if len(found) < _GENERATIONS_AT_ONCE:
                return  # what is published meanwhile needs no walk, and could go on for ever
            after = (found[-1].view_id, found[-1].number)

    def _shards(self) -> Iterator[None]:
        after = b""
        read = partial(viewlist.shard_places, channel_id=self._channel_id, limit=_SHARDS_AT_ONCE)
        while found := self._database.read_now(partial(read, after=after)):
            for _, pack, start in found:
                self.reached.add(pack, start)
            yield
            if len(found) < _SHARDS_AT_ONCE:
                return
            after = found[-1][0]


def reach_documents(reached: Reached, packs: Packs, documents: Documents) -> None:
    """Note every place that the documents of a generation lead to.

    Raises:
        PieceDamaged: a page table cannot be read; what it leads to is not noted.
    """
    for document in documents.values():
        place = document.table if isinstance(document, Paged) else document.place
        if reached.add(place.pack, place.start) and isinstance(document, Paged):
            _reach_table(reached, packs, place)


def _reach_table(reached: Reached, packs: Packs, table: Place) -> None:
    for run in runs_at(packs.read, table):
        if reached.add(run.pack, run.start):
            for page in pages_at(packs.read, run):
                reached.add(page.place.pack, page.place.start)


def files_of(packs: Packs, reached: Reached) -> set[str]:
    """Name the packs, merged ones too, that have to be copied for all that was reached to be there."""
    packs.find_merged()
    return {
        name
        for name in packs.names()
        for piece in packs.pieces_of(name) or ()
        if packs.answers(name, piece) and reached.has(piece.place.pack, piece.place.start)
    }
