"""Rebuilding: a whole view out of the catalog, in one pass over its rows, holding a page of each section.

What comes out is what the changes one by one would have led to. Pages are cut where the last generation had them, so
one that has not changed is found again: looked at, and kept if it is whole. It is the first rendering of an import, the
answer to a damaged page and to whatever concerns all files of a view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from channeld.catalog.viewrows import view_rows
from channeld.catalog.views import ViewKey
from channeld.formats.relations import ChannelRelations
from channeld.indexing.documents.records import RECORD_DOCUMENTS, file_in_view
from channeld.indexing.errands import Helpers
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.pagetable import Page, PageTable
from channeld.indexing.paging import Cutter, Draft, suffix_of
from channeld.indexing.press import Slot
from channeld.indexing.render import Render
from channeld.indexing.shardrebuild import RebuiltShards

#: Package → ids of the artifacts that speak for it in channeldata.json, as far as one subdir goes.
References = Mapping[str, Sequence[int]]


def rebuild_view(
    render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations, helpers: Helpers
) -> References:
    """Render every record document and shard of a view from the catalog, trusting nothing that is stored.

    Returns what channeldata.json has to know of its files, so that nobody has to go through them again.
    """
    documents = [
        (document, Pages(render, readable_table(render, key, document.name))) for document in RECORD_DOCUMENTS
    ]
    made = RebuiltShards(render, connection, key, helpers)
    try:
        lines = [(document.line, pages.add) for document, pages in documents]
        for row in view_rows(connection, key):
            file = file_in_view(row)
            for line_of, add in lines:
                line = line_of(key, file)
                if line is not None:
                    add(line[0], row.filename, line[1])
            made.take(row)
        for document, pages in documents:
            render.put_document(key, document.name, pages.finish(), document.layout(key, relations))
        made.finish(relations)
    except BaseException:
        made.cancel()
        raise
    return made.references


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
