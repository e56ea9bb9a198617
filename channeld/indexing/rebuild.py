"""Rebuilding: a whole view out of the catalog, in one pass over its rows, holding a page of each section.

What comes out is what the changes one by one would have led to. Pages are cut where the last generation had them, so
one that has not changed is found again: looked at, and kept if it is whole. It is the first rendering of an import, the
answer to a damaged page and to whatever concerns all files of a view.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from sqlalchemy import Connection

from channeld.catalog import labelcontents
from channeld.catalog import shards as shard_rows
from channeld.catalog.shards import StoredShard
from channeld.catalog.viewrows import ViewRow, rows_of_names, view_rows
from channeld.catalog.views import ViewKey
from channeld.formats.channeldata import newest_of_versions
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import compress_shard, decode_shard_index
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.documents.records import RECORD_DOCUMENTS, file_in_view
from channeld.indexing.documents.shards import FileRecord, Listed, ShardIndex
from channeld.indexing.generation import Whole
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.pagetable import Page, PageTable, Place
from channeld.indexing.paging import Cutter, Draft, suffix_of
from channeld.indexing.press import Slot
from channeld.indexing.render import Render

_SHARDS_AT_ONCE: Final = 200  # shards whose places are asked for together
_MOST_WAITING: Final = 20_000  # rows of packages that are not complete yet


#: Package → ids of the artifacts that speak for it in channeldata.json, as far as one subdir goes.
References = Mapping[str, Sequence[int]]


def rebuild_view(
    render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations
) -> References:
    """Render every record document and shard of a view from the catalog, trusting nothing that is stored.

    Returns what channeldata.json has to know of its files, so that nobody has to go through them again.
    """
    documents = [
        (document, Pages(render, readable_table(render, key, document.name))) for document in RECORD_DOCUMENTS
    ]
    gathered = _Shards(render, connection, key)
    try:
        lines = [(document.line, pages.add) for document, pages in documents]
        for row in view_rows(connection, key):
            file = file_in_view(row)
            for line_of, add in lines:
                line = line_of(key, file)
                if line is not None:
                    add(line[0], row.filename, line[1])
            gathered.take(row, file.record)
        for document, pages in documents:
            render.put_document(key, document.name, pages.finish(), document.layout(key, relations))
        gathered.finish(relations)
    except BaseException:
        gathered.cancel()
        raise
    return gathered.references


class Pages:
    """The pages of a document that streams by in order, cut where its last generation was cut."""

    def __init__(self, render: Render, earlier: PageTable | None) -> None:
        self._render = render
        self._earlier = earlier
        self._stored = {page.raw_sha256: page for page in earlier.pages()} if earlier else {}
        self._cutters: dict[str, Cutter] = {}
        self._pages: dict[str, list[Page | Slot]] = {}

    def add(self, section: str, key: str, entry: bytes) -> None:
        """Take the next entry of a section, by its sort key."""
        cutter = self._cutters.get(section)
        if cutter is None:
            earlier = self._earlier.section(section) if self._earlier else ()
            cutter = Cutter(self._render.engine.page_size, earlier, suffix_of(section))
            self._cutters[section] = cutter
        draft = cutter.add(key, entry)
        if draft is not None:
            self._put(section, draft)

    def finish(self) -> dict[str, list[Page | Slot]]:
        """Put the last page of each section; returns all pages by section."""
        for section, cutter in self._cutters.items():
            draft = cutter.finish()
            if draft is not None:
                self._put(section, draft)
        return self._pages

    def _put(self, section: str, draft: Draft) -> None:
        item = self._render.put_page(draft, section, self._stored)
        self._pages.setdefault(section, []).append(item)


def readable_table(render: Render, key: ViewKey, name: str) -> PageTable | None:
    """Return the page table that a document had in the last generation, if it is there and whole."""
    try:
        return render.old_table(key, name)
    except PieceDamaged:
        return None


class _Shards:
    """Makes the shards of a view as its rows stream by: each as soon as the last file of its package has come.

    Rows come in the order of file names, so files of one package nearly always come together. Where others come
    between them for long, the rows that wait are given up, and are read again in the end.
    """

    def __init__(self, render: Render, connection: Connection, key: ViewKey) -> None:
        self._render = render
        self._connection = connection
        self._key = key
        self._old = _readable(render, key)
        self._index = ShardIndex(shards.read_listed(self._old) if self._old is not None else Listed({}), {})
        self._left = labelcontents.files_of_names(connection, key)
        self._waiting: dict[str, list[FileRecord]] = {}
        self._rows = 0
        self._late: set[str] = set()
        self._compressed: list[tuple[str, Future[bytes]]] = []
        self.references: dict[str, Sequence[int]] = {}

    def take(self, row: ViewRow, record: dict[str, Any]) -> None:
        """Take the next file, and its record to keep."""
        name = row.name
        self._left[name] -= 1
        if name in self._late:
            return
        self._waiting.setdefault(name, []).append((row, record))
        self._rows += 1
        if self._left[name] == 0:
            files = self._waiting.pop(name)
            self._rows -= len(files)
            self._make(name, files)
        elif self._rows > _MOST_WAITING:
            longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
            self._rows -= len(self._waiting.pop(longest))
            self._late.add(longest)

    def _make(self, name: str, files: list[FileRecord]) -> None:
        self.references[name] = _references(files)
        packed = self._index.pack(name, files, lists_removed=self._key.lists_removed)
        if packed is not None:
            self._compressed.append((name, self._render.engine.executor.submit(compress_shard, packed)))
            if len(self._compressed) >= _SHARDS_AT_ONCE:
                self._store(_SHARDS_AT_ONCE // 2)
        elif name in self._index.stale and not self._is_there(name):
            self._index.hashes.pop(name, None)

    def _is_there(self, name: str) -> bool:
        """Tell whether the shard that a package keeps can be read."""
        listed = self._index.hashes.get(name, b"")
        stored = shard_rows.find(self._connection, self._key.channel_id, listed)
        return stored is not None and self._is_whole(stored)

    def _store(self, count: int) -> None:
        """Store the oldest shards, but for those that the last generation lists and that are whole."""
        made = [(name, under_way.result()) for name, under_way in self._compressed[:count]]
        del self._compressed[:count]
        for name, data in made:
            self._index.put(name, data)
        listed = [self._index.hashes[name] for name, _ in made if not self._index.is_new(name)]
        places = shard_rows.find_all(self._connection, self._key.channel_id, listed)
        for name, data in made:
            stored = places.get(self._index.hashes[name])
            if stored is None or not self._is_whole(stored):
                self._render.put_shard(self._key, data)

    def _is_whole(self, shard: StoredShard) -> bool:
        try:
            self._render.engine.packs.read(Place(shard.pack, shard.start, shard.size, shard.sha256))
        except PieceDamaged:
            return False
        return True

    def cancel(self) -> None:
        """Give up what has not been begun."""
        for _, under_way in self._compressed:
            under_way.cancel()

    def finish(self, relations: ChannelRelations) -> None:
        """Store the last shards, and the index."""
        for name in sorted(self._late):
            rows = rows_of_names(self._connection, self._key, frozenset((name,)))
            self._make(name, shards.by_name(rows)[name])
        self._store(len(self._compressed))
        index = shards.write_index(self._key.subdir, self._index.listed, relations, self._render.now_ms)
        if self._old is not None and decode_shard_index(self._old).says_the_same(decode_shard_index(index)):
            index = self._old
        self._render.put_whole(self._key, SHARDS, index)


def _references(files: Sequence[FileRecord]) -> Sequence[int]:
    """Choose the artifacts that speak for their package, by their file names; eight bytes each are kept."""
    shown = {row.filename: (row, record) for row, record in files if row.shown}
    chosen = newest_of_versions(
        ("", filename, record["version"], record.get("timestamp") or 0)
        for filename, (_, record) in shown.items()
    )
    return array("q", [shown[filename][0].artifact_id for _, filename in chosen])


def _readable(render: Render, key: ViewKey) -> bytes | None:
    """Return the shard index of the last generation, if it is there and whole."""
    old = render.old(key, SHARDS)
    try:
        return render.engine.packs.read(old.place) if isinstance(old, Whole) else None
    except PieceDamaged:
        return None
