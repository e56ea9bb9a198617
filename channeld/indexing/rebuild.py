"""Rebuilding: a whole view out of the catalog, in one pass over its rows, holding a page of each section.

What comes out is what the changes one by one would have led to, apart from where pages are cut. It is the first
rendering of an import, the answer to a damaged page, and what ``fsck`` compares with.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import tables as t
from channeld.catalog.views import ViewKey, ViewRow, rows_of_names, view_rows
from channeld.formats.relations import ChannelRelations
from channeld.formats.repodata import V3_SECTIONS
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.documents.records import RECORD_DOCUMENTS, RecordDocument
from channeld.indexing.paging import Cutter, Draft
from channeld.indexing.press import Slot
from channeld.indexing.render import Render, times_of

_NAMES_AT_ONCE = 100  # packages whose rows are held in memory together


class Sections:
    """One document being cut into pages as its lines stream by."""

    def __init__(self, render: Render, document: RecordDocument, level: int) -> None:
        self.document = document
        self._render = render
        self._level = level
        self._cutters: dict[str, Cutter] = {}
        self.slots: dict[str, list[Slot]] = {}

    def take(self, key: ViewKey, row: ViewRow) -> None:
        """Put the lines of one file in their sections."""
        for line in self.document.lines(key, row):
            if line.text is None:
                continue
            cutter = self._cutters.get(line.section)
            if cutter is None:
                cutter = self._cutters[line.section] = Cutter(self._render.engine.page_size)
            self._put(line.section, cutter.add(line.key, line.text))

    def close(self) -> None:
        """Put the last page of each section."""
        for section, cutter in self._cutters.items():
            self._put(section, cutter.finish())

    def _put(self, section: str, draft: Draft | None) -> None:
        if draft is not None:
            times = times_of(draft) if section in V3_SECTIONS else (0, 0)
            self.slots.setdefault(section, []).append(self._render.press.put(draft, self._level, times))


def rebuild_view(render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations) -> None:
    """Render every record document and shard of a view from the catalog, trusting nothing that is stored."""
    render.forget(key)
    documents = len(RECORD_DOCUMENTS)
    pages = documents * -(-count_rows(connection, key) // render.engine.page_size.target)
    level = render.engine.levels.for_pages(pages)
    cuts = [Sections(render, document, level) for document in RECORD_DOCUMENTS]
    for row in view_rows(connection, key):
        for cut in cuts:
            cut.take(key, row)
    for cut in cuts:
        cut.close()
    for cut in cuts:
        document = cut.document
        render.put_pressed(key, document.name, cut.slots, document.layout(key, relations))
    _rebuild_shards(render, connection, key, relations)


def _rebuild_shards(
    render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations
) -> None:
    index: dict[str, bytes] = {}
    for names in names_of(connection, key):
        for name, rows in shards.by_name(rows_of_names(connection, key, frozenset(names))):
            render.put_shard(key, index, name, rows)
    render.put_whole(key, SHARDS, shards.write_index(key.subdir, index, relations, render.now_ms))


def count_rows(connection: Connection, key: ViewKey) -> int:
    """Count the files that ever carried the label, in a view."""
    table = t.file_labels
    query = sa.select(sa.func.count()).where(table.c.label_id == key.label_id, table.c.subdir == key.subdir)
    return int(connection.execute(query).scalar_one())


def names_of(connection: Connection, key: ViewKey) -> Iterator[list[str]]:
    """Yield the package names of a channel's subdir, sorted, some at a time."""
    last = ""
    while True:
        query = (
            sa.select(t.files.c.name)
            .where(
                t.files.c.channel_id == key.channel_id, t.files.c.subdir == key.subdir, t.files.c.name > last
            )
            .distinct()
            .order_by(t.files.c.name)
            .limit(_NAMES_AT_ONCE)
        )
        names = list(connection.execute(query).scalars())
        if not names:
            return
        yield names
        last = names[-1]
