"""Rendering: view + changes → documents of the next generation.

One ``Render`` serves one publication: all views that one channel has dirty. It reads one snapshot of the catalog,
writes one pack, and decides the zstd level from the number of pages that all of it has to compress. Nothing it writes
is visible before the flip, so a render that fails or is outrun is simply thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection

from channeld.catalog.views import ViewKey, ViewRow, ViewWork, rows_of_names, view_rows
from channeld.formats.relations import ChannelRelations
from channeld.formats.repodata import V3_SECTIONS
from channeld.indexing import pagetable
from channeld.indexing.assembly import Tables
from channeld.indexing.documents import shards
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.documents.records import RECORD_DOCUMENTS
from channeld.indexing.generation import Document, Documents, Paged, Whole
from channeld.indexing.packs import Packs, PackWriter
from channeld.indexing.pagetable import Page, PageTable
from channeld.indexing.paging import Draft, PageSize, edit
from channeld.indexing.press import Levels, Press, Slot, settle

NewShard = tuple[bytes, str, int, int]


@dataclass(frozen=True, slots=True)
class Engine:
    """What every render of a data directory works with."""

    packs: Packs
    tables: Tables
    executor: Executor
    page_size: PageSize = field(default_factory=PageSize)
    levels: Levels = field(default_factory=Levels)
    #: How many pages pressed quickly before are pressed again, well, inside a render that changes their document.
    recompress_pages: int = 2


@dataclass(frozen=True, slots=True)
class Rendered:
    """The next generation of one view."""

    key: ViewKey
    documents: Documents
    new_shards: Sequence[NewShard] = ()


@dataclass(slots=True)
class Unpressed:
    """A document whose new pages are still drafts."""

    key: ViewKey
    name: str
    sections: dict[str, list[Page | Draft]]
    layout: LayoutOf


class Render:
    """One publication in the making; see the module's text."""

    def __init__(self, engine: Engine, pack: PackWriter, now_ms: int) -> None:
        self.engine = engine
        self.pack = pack
        self.now_ms = now_ms
        self.press = Press(engine.packs, pack, engine.executor)
        self._unpressed: list[Unpressed] = []
        self._old: dict[ViewKey, Documents] = {}
        self._documents: dict[ViewKey, dict[str, Document]] = {}
        self._new_shards: dict[ViewKey, list[NewShard]] = {}

    def start(self, key: ViewKey, old: Documents) -> None:
        """Begin a view with the documents of its last generation."""
        self._old[key] = old
        self._documents[key] = dict(old)
        self._new_shards[key] = []

    def has_documents(self, key: ViewKey) -> bool:
        """Tell whether the view has been rendered before."""
        return bool(self._documents[key])

    def forget(self, key: ViewKey) -> None:
        """Drop what was rendered of a view so far; what its last generation was is remembered."""
        self._unpressed = [one for one in self._unpressed if one.key != key]
        self._documents[key] = {}
        self._new_shards[key] = []

    def edit_view(self, connection: Connection, work: ViewWork, relations: ChannelRelations) -> None:
        """Apply the changed files of a view to its record documents and shards."""
        assert work.filenames is not None
        rows = list(view_rows(connection, work.key, work.filenames))
        for document in RECORD_DOCUMENTS:
            changes: dict[str, dict[str, bytes | None]] = {}
            for row in rows:
                for line in document.lines(work.key, row):
                    changes.setdefault(line.section, {})[line.key] = line.text
            self.edit_document(work.key, document.name, changes, document.layout(work.key, relations))
        self._edit_shards(connection, work, relations)

    def edit_document(
        self,
        key: ViewKey,
        name: str,
        changes: Mapping[str, Mapping[str, bytes | None]],
        layout: LayoutOf,
    ) -> None:
        """Apply changes, by section, to a paged document; its new pages stay drafts until ``finish``."""
        table = self.table_of(key, name)
        sections = {
            section: edit(
                table.section(section) if table else (),
                changes.get(section, {}),
                self.press.load,
                self.engine.page_size,
            )
            for section in dict.fromkeys((*(table.names if table else ()), *changes))
        }
        self._unpressed.append(Unpressed(key, name, sections, layout))

    def table_of(self, key: ViewKey, name: str) -> PageTable | None:
        """Return the page table of a document as the view has it now."""
        document = self._documents[key].get(name)
        return self.engine.tables.get(document.table) if isinstance(document, Paged) else None

    def _edit_shards(self, connection: Connection, work: ViewWork, relations: ChannelRelations) -> None:
        old = self._documents[work.key].get(SHARDS)
        known = shards.read_index(self.engine.packs.read(old.place)) if isinstance(old, Whole) else {}
        index = dict(known)
        found = dict(shards.by_name(rows_of_names(connection, work.key, work.names)))
        for name in work.names:
            self.put_shard(work.key, index, name, found.get(name, []))
        if index != known or old is None:
            self.put_whole(
                work.key, SHARDS, shards.write_index(work.key.subdir, index, relations, self.now_ms)
            )

    def put_shard(self, key: ViewKey, index: dict[str, bytes], name: str, rows: Iterable[ViewRow]) -> None:
        """Store the shard of one package and note it in the index, or drop the name when nothing is shown."""
        data = shards.shard(rows, lists_removed=key.lists_removed)
        if data is None:
            index.pop(name, None)
            return
        place = self.pack.add(data)
        if index.get(name) != place.sha256:
            index[name] = place.sha256
            self._new_shards[key].append((place.sha256, place.pack, place.start, place.size))

    def put_whole(self, key: ViewKey, name: str, data: bytes) -> None:
        """Store a document that is kept in one piece; the same bytes again keep their time."""
        place = self.pack.add(data)
        old = self._old[key].get(name)
        same = isinstance(old, Whole) and old.place.sha256 == place.sha256
        self._documents[key][name] = Whole(place, old.modified_ms if old and same else self.now_ms)

    def put_paged(self, key: ViewKey, name: str, table: PageTable) -> None:
        """Store the table of a document whose pages are stored; the same text again keeps its time."""
        measures = pagetable.measure(table)
        place = self.pack.add(pagetable.encode(table))
        self.engine.tables.keep(place, table)
        old = self._old[key].get(name)
        same = isinstance(old, Paged) and old.raw_digest == measures.raw_digest
        self._documents[key][name] = Paged(
            place,
            measures.raw_size,
            measures.zst_size,
            measures.raw_digest,
            measures.zst_digest,
            old.modified_ms if old and same else self.now_ms,
        )

    def put_pressed(
        self, key: ViewKey, name: str, sections: Mapping[str, Sequence[Slot]], layout: LayoutOf
    ) -> None:
        """Store a paged document whose pages have all been handed to the press."""
        self.press.flush()
        self.put_paged(key, name, _table(sections, layout))

    def finish(self) -> list[Rendered]:
        """Press what is still a draft, make everything durable, and return the new generations."""
        drafts = sum(isinstance(item, Draft) for one in self._unpressed for item in _items(one))
        level = self.engine.levels.for_pages(drafts)
        pressed = [(one, self._press(one, level)) for one in self._unpressed]
        self.press.flush()
        for one, sections in pressed:
            table = _table(sections, one.layout)
            if table != self.table_of(one.key, one.name):
                self.put_paged(one.key, one.name, table)
        self.pack.commit()
        return [Rendered(key, documents, self._new_shards[key]) for key, documents in self._documents.items()]

    def _press(self, one: Unpressed, level: int) -> dict[str, list[Page | Slot]]:
        spare = self.engine.recompress_pages if level == self.engine.levels.settled else 0
        changed = any(isinstance(item, Draft) for item in _items(one))
        pressed: dict[str, list[Page | Slot]] = {}
        for section, items in one.sections.items():
            pressed[section] = []
            for item in items:
                if isinstance(item, Draft):
                    times = times_of(item) if section in V3_SECTIONS else (0, 0)
                    pressed[section].append(self.press.put(item, level, times))
                elif changed and spare and item.level < level:
                    spare -= 1
                    pressed[section].append(self.press.again(item, level))
                else:
                    pressed[section].append(item)
        return pressed


def _table(sections: Mapping[str, Sequence[Page | Slot]], layout: LayoutOf) -> PageTable:
    settled = {name: settle(items) for name, items in sections.items()}
    around = layout(settled)
    return PageTable(around.sections, around.glue, tuple(settled.get(name, ()) for name in around.sections))


def _items(one: Unpressed) -> Iterator[Page | Draft]:
    for items in one.sections.values():
        yield from items


def times_of(draft: Draft) -> tuple[int, int]:
    """Return the smallest and largest ``indexed_timestamp`` among the records of a page."""
    records = orjson.loads(b"{" + draft.raw + b"}").values()
    times = [record["indexed_timestamp"] for record in records]
    return min(times), max(times)
