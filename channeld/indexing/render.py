"""Rendering: view + changes → documents of the next generation.

One ``Render`` serves one publication: all views that one channel has dirty. It writes one pack, and decides the zstd
level from the number of pages that all of it probably has to compress. Nothing it writes is visible before the flip, so
a render that fails or is outrun is simply thrown away.

Pages are compressed on other threads while the next document is taken apart and put together, out of the catalog's
snapshot; ``finish`` waits for them when the snapshot is closed, and stores them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from channeld.catalog.shards import NewShard
from channeld.catalog.views import ViewKey
from channeld.errors import Unavailable
from channeld.formats.repodata import V3_SECTIONS
from channeld.indexing import errands, pagetable, tables
from channeld.indexing.ahead import Ahead, Wanted
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.documents.names import CURRENT, REPODATA
from channeld.indexing.documents.shards import Listed
from channeld.indexing.generation import Document, Documents, Paged, Whole
from channeld.indexing.latest import Latest
from channeld.indexing.packs import Packs, PackWriter, PieceDamaged
from channeld.indexing.pagetable import Measures, Page, PageTable, Place
from channeld.indexing.paging import Draft, Edits, PageSize, edit, suffix_of, times_of
from channeld.indexing.press import Levels, Press, Slot, settle
from channeld.indexing.tables import StoredTable, Tables

Item = Page | Slot

#: Documents that a change of one file changes, as far as they have pages of their own: repodata.json, with which
#: repodata_from_packages.json has most of them in common, run_exports.json and channeldata.json.
DOCUMENTS_OF_A_CHANGE: Final = 3

_MOST_NAMES: Final = 60_000  # of shard indexes in memory; a name and its hash take about 230 bytes


def _names(listed: Listed) -> int:
    return len(listed.hashes)


@dataclass(frozen=True, slots=True)
class Engine:
    """What every render of a data directory works with."""

    packs: Packs
    tables: Tables
    executor: Executor
    page_size: PageSize = field(default_factory=PageSize)
    levels: Levels = field(default_factory=Levels)
    #: How many pages pressed quickly before are pressed again, well, between two renders that change their document.
    recompress_pages: int = 8
    #: The files of a view from which on another process helps to rebuild it; None for never.
    helped_from: int | None = errands.MANY
    #: What the latest shard indexes list: taking one apart costs more than all else that a change does to shards.
    shard_indexes: Latest[Place, Listed] = field(default_factory=lambda: Latest(_MOST_NAMES, _names))


@dataclass(frozen=True, slots=True)
class Rendered:
    """The next generation of one view."""

    key: ViewKey
    documents: Documents
    #: What it was rendered on.
    before: Documents
    new_shards: Sequence[NewShard] = ()

    @property
    def changed(self) -> bool:
        """Whether anything came out differently, or a shard lies elsewhere."""
        return self.documents != self.before or bool(self.new_shards)


@dataclass(eq=False)
class ViewDamaged(Unavailable):
    """Stored pieces of a view turned out to be damaged; it has to be rendered anew from the catalog."""

    key: ViewKey
    damage: PieceDamaged

    advice: ClassVar[str] = "It is rendered anew from the catalog; look at the disk."

    def sentence(self) -> str:
        where = f"{self.key.channel}/{self.key.label}/{self.key.subdir}"
        return f"In the view {where} something is damaged: {self.damage.sentence()}"


@contextmanager
def damage_of(key: ViewKey) -> Iterator[None]:
    """Name the view whose pieces are read here, should one be damaged."""
    try:
        yield
    except PieceDamaged as damage:
        raise ViewDamaged(key, damage) from damage


@dataclass(slots=True)
class _Unsettled:
    """A document whose new pages are not all stored yet."""

    key: ViewKey
    name: str
    sections: Mapping[str, Sequence[Item]]
    layout: LayoutOf
    #: Nothing that is stored is used without being looked at.
    distrust: bool

    def items(self) -> Iterator[Item]:
        for items in self.sections.values():
            yield from items


class Render:
    """One publication in the making; see the module's text."""

    def __init__(
        self,
        engine: Engine,
        pack: PackWriter,
        now_ms: int,
        on_progress: Callable[[], None] = lambda: None,
        ahead: Ahead | None = None,
    ) -> None:
        self.engine = engine
        self.pack = pack
        self.now_ms = now_ms
        self.on_progress = on_progress
        self.press = Press(engine.packs, pack, engine.executor, on_progress)
        self._ahead = ahead
        #: The same ones for all documents, which have pages in common.
        self._better = ahead.ready() if ahead is not None else frozenset[bytes]()
        #: Old pages in whose place stands what had been pressed ahead of them.
        self.taken: list[Page] = []
        self._edits = Edits(self.press.load, engine.page_size)
        #: Whether no page is pressed well.
        self.hurried = False
        self._pressed = 0
        self._expected = 0
        #: By section and identity of the draft, which is kept here so that no other one comes to have it.
        self._handed_in: dict[tuple[str, int], tuple[Draft, Slot]] = {}
        self._unsettled: list[_Unsettled] = []
        self._written: dict[Place, tuple[StoredTable, Measures]] = {}
        self._old: dict[ViewKey, Documents] = {}
        self._documents: dict[ViewKey, dict[str, Document]] = {}
        self._new_shards: dict[ViewKey, list[NewShard]] = {}

    def hurry(self) -> None:
        """Press pages as quickly as can be: more changes are on their way, and need the processor to arrive."""
        self.hurried = True

    def expect(self, views: int) -> None:
        """Say how many views there are, so that the level is one for the pages of all of them."""
        self._expected = DOCUMENTS_OF_A_CHANGE * views

    def start(self, key: ViewKey, old: Documents) -> None:
        """Begin a view with the documents of its last generation."""
        self._old[key] = old
        self._documents[key] = dict(old)
        self._new_shards[key] = []

    def old(self, key: ViewKey, name: str) -> Document | None:
        """Return a document of the view's last generation."""
        return self._old[key].get(name)

    def drop(self, key: ViewKey, name: str) -> None:
        """Leave a document out of the next generation."""
        self._documents[key].pop(name, None)

    def old_table(self, key: ViewKey, name: str) -> PageTable | None:
        """Return the page table that a document had in the last generation; raises ``PieceDamaged``."""
        document = self.old(key, name)
        return self.engine.tables.get(document.table) if isinstance(document, Paged) else None

    def edit_document(
        self,
        key: ViewKey,
        name: str,
        changes: Mapping[str, Mapping[str, bytes | None]],
        layout: LayoutOf,
    ) -> None:
        """Apply changes, by section and sort key, to a paged document.

        Raises:
            PieceDamaged: a page that is changed is not there as it was written.
        """
        table = self.old_table(key, name)
        sections = {
            section: edit(
                table.section(section) if table else (),
                changes.get(section, {}),
                self._edits,
                suffix_of(section),
            )
            for section in dict.fromkeys((*(table.names if table else ()), *changes))
        }
        self._unsettled.append(_Unsettled(key, name, self._hand_in(sections), layout, distrust=False))

    def put_document(
        self, key: ViewKey, name: str, sections: Mapping[str, Sequence[Page | Slot]], layout: LayoutOf
    ) -> None:
        """Replace a paged document by one whose pages have been made anew, or looked at."""
        self._unsettled.append(_Unsettled(key, name, dict(sections), layout, distrust=True))

    def put_page(self, draft: Draft, section: str, stored: Mapping[bytes, Page]) -> Page | Slot:
        """Press a page, unless one of the ``stored`` ones (by the hash of their text) has its text and is whole.

        For documents that stream by: the first pages are pressed well, and all others as fast as they come.
        """
        times = times_of(draft.raw) if section in V3_SECTIONS else (0, 0)
        levels = self.engine.levels
        level = levels.middle if self.hurried else levels.for_stream(self._pressed + 1)
        item = self.press.put_or_keep(draft, level, times, stored)
        self._pressed += isinstance(item, Slot)
        return item

    def put_whole(self, key: ViewKey, name: str, data: bytes) -> Whole:
        """Store a document that is kept in one piece; the same bytes again stay where they are."""
        old = self.old(key, name)
        same = isinstance(old, Whole) and old.place.sha256 == hashlib.sha256(data).digest()
        if isinstance(old, Whole) and same and self._is_whole(old):
            whole = old
        else:
            modified_ms = old.modified_ms if old is not None and same else self.now_ms
            whole = Whole(self.pack.add(data), modified_ms)
        self._documents[key][name] = whole
        return whole

    def _is_whole(self, document: Document) -> bool:
        try:
            self.engine.packs.read(document.place if isinstance(document, Whole) else document.table)
        except PieceDamaged:
            return False
        return True

    def put_shard(self, key: ViewKey, data: bytes) -> None:
        """Store a shard that the view's last generation does not list, or that is damaged."""
        place = self.pack.add(data)
        self._new_shards[key].append((place.sha256, place.pack, place.start, place.size))

    def finish(self) -> list[Rendered]:
        """Press what is still a draft, make everything durable, and return the new generations.

        Raises:
            ViewDamaged: what is stored of a document's table is not there as it was written.
            DiskFull, DiskUnavailable: the pack could not be written.
        """
        self._edits.forget()
        self._handed_in.clear()
        self.press.flush()
        for one in self._unsettled:
            with damage_of(one.key):
                self._settle(one)
        self.pack.commit()
        for place, (stored, _) in self._written.items():
            self.engine.tables.keep(place, stored)
        return [
            Rendered(key, self._documents[key], self._old[key], self._new_shards[key])
            for key in self._documents
        ]

    def _hand_in(self, sections: Mapping[str, Sequence[Page | Draft]]) -> Mapping[str, Sequence[Item]]:
        """Have the drafts of a document pressed; with them goes what was pressed ahead of its other pages."""
        drafts = sum(isinstance(item, Draft) for items in sections.values() for item in items)
        better = self._better if drafts else frozenset()  # or they would be all that changes
        pages = max(self._pressed + drafts, DOCUMENTS_OF_A_CHANGE * drafts, self._expected)
        level = self.engine.levels.quick if self.hurried else self.engine.levels.for_pages(pages)
        return {
            section: [
                self._press(item, section, level)
                if isinstance(item, Draft)
                else self._replace(item)
                if item.raw_sha256 in better
                else item
                for item in items
            ]
            for section, items in sections.items()
        }

    def _press(self, draft: Draft, section: str, level: int) -> Slot:
        """Have a draft pressed, once for documents that have it in common."""
        place = section, id(draft)
        if place not in self._handed_in:
            times = times_of(draft.raw) if section in V3_SECTIONS else (0, 0)
            self._handed_in[place] = draft, self.press.put(draft, level, times)
            self._pressed += 1
        return self._handed_in[place][1]

    def _replace(self, page: Page) -> Page | Slot:
        """Take a page as it was pressed ahead, if it was, instead of one pressed less well."""
        compressed = self._ahead.get(page) if self._ahead is not None else None
        if self._ahead is None or compressed is None:
            return page
        self.taken.append(page)
        return self.press.replace(page, compressed, self._ahead.level)

    def worth_pressing(self) -> list[Wanted]:
        """Choose pages that were pressed quickly, to be pressed ahead of the next render. For a render that is flipped.

        Only of documents that were changed; and those next to a change, so that what changes in the frame lies together
        and mirrors send few ranges.
        """
        chosen: dict[bytes, Wanted] = {}
        most = 0 if self.hurried else self.engine.recompress_pages
        taken = {page.raw_sha256 for page in self.taken}

        def is_new(item: Item) -> bool:
            return isinstance(item, Slot) and item.page.raw_sha256 not in taken

        for one in self._unsettled if most else ():
            for page in _beside(list(one.items()), is_new, self.engine.levels.settled, most):
                chosen[page.raw_sha256] = Wanted(one.key, page)
        return list(chosen.values())[:most]

    def _settle(self, one: _Unsettled) -> None:
        settled = {name: settle(items) for name, items in one.sections.items()}
        around = one.layout(settled)
        table = PageTable(
            around.sections, around.glue, tuple(settled.get(name, ()) for name in around.sections)
        )
        documents = self._documents[one.key]
        old = self.old(one.key, one.name)
        paged = old if isinstance(old, Paged) else None
        known = self._known(paged, distrust=one.distrust)
        if paged is None or known is None or known.table != table:
            stored = self._stored(table) if not one.distrust else None
            documents[one.name] = self._paged(paged, *(stored or self._write(table, known)))
        if one.name == CURRENT:
            self._note_source(one.key)

    def _known(self, old: Paged | None, *, distrust: bool) -> StoredTable | None:
        """Return what is stored of a document's last table, or as much of it as is whole."""
        if old is None:
            return None
        if not distrust:
            return self.engine.tables.stored(old.table)
        self.engine.tables.forget(old.table)
        try:
            return self.engine.tables.stored(old.table)
        except PieceDamaged:
            return None

    def _paged(self, old: Paged | None, place: Place, measures: Measures) -> Paged:
        same = old is not None and old.raw_digest == measures.raw_digest
        return Paged(
            place,
            measures.raw_size,
            measures.zst_size,
            measures.raw_digest,
            measures.zst_digest,
            old.modified_ms if old is not None and same else self.now_ms,
        )

    def _stored(self, table: PageTable) -> tuple[Place, Measures] | None:
        """Find a table that another document has too, as the two repodata documents do without patches."""
        found = ((place, told) for place, (stored, told) in self._written.items() if stored.table == table)
        return next(found, None)

    def _write(self, table: PageTable, known: StoredTable | None) -> tuple[Place, Measures]:
        place, stored = tables.store(table, self.pack, known)
        self._written[place] = stored, pagetable.measure(table)
        return place, self._written[place][1]

    def _note_source(self, key: ViewKey) -> None:
        """Note from which repodata.json the view's current_repodata.json was drawn: that of this render."""
        documents = self._documents[key]
        drawn, source = documents[CURRENT], documents[REPODATA]
        if isinstance(drawn, Paged) and isinstance(source, Paged):
            documents[CURRENT] = replace(drawn, source=source.raw_digest)


def _beside(items: Sequence[Item], is_new: Callable[[Item], bool], level: int, most: int) -> Iterator[Page]:
    """Yield so many pages below a level, those nearest to a new one first; none where none is new."""
    new = [index for index, item in enumerate(items) if is_new(item)]
    below = {index: item for index, item in enumerate(items) if isinstance(item, Page) and item.level < level}
    indexes = list(below)
    near: set[int] = set()
    for at in new:
        middle = bisect_left(indexes, at)
        near.update(indexes[max(0, middle - most) : middle + most])
    for index in sorted(near, key=lambda index: (min(abs(index - at) for at in new), index))[:most]:
        yield below[index]
