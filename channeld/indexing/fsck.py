"""Checking a view: what is published, against its own hashes and against the catalog.

Three questions, each with its own kind of finding:

- Is everything there as it was written? Every page table, page and shard is read and compared with its hash, and the
  frame of each document is compared block by block with the pages that it is made of.
- Does it say what the catalog says? The view is derived from the catalog again, in one pass, and compared page by page
  with what is published. That is left out while the view has changes that wait to be rendered.
- Does the shard index list what it should? Every shard is made anew and compared.

Nothing is changed; ``repair`` marks a view to be derived anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from channeld.catalog import repairing, viewlist, views
from channeld.catalog import shards as shard_rows
from channeld.catalog.database import Database
from channeld.catalog.views import ViewKey
from channeld.indexing import generation
from channeld.indexing.assembly import Assembly
from channeld.indexing.comparing import Finding, compare_channeldata, compare_shards, compare_view
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import CHANNELDATA, SHARDS
from channeld.indexing.documents.shards import Listed
from channeld.indexing.generation import Document, Documents, Paged, Whole
from channeld.indexing.packs import Packs, PieceDamaged
from channeld.indexing.pagetable import Page, PageTable, Place, measure
from channeld.indexing.press import load_page
from channeld.indexing.tables import load


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What was looked at in one view, and what was found."""

    channel: str
    label: str
    subdir: str
    #: 0 when nothing is published yet.
    generation: int
    pages: int = 0
    shards: int = 0
    #: False while changes wait to be rendered: then only hashes were checked.
    compared: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


class Checker:
    """Checks the views of one catalog and data directory."""

    def __init__(self, database: Database, packs: Packs, assembly: Assembly) -> None:
        self._database = database
        self._packs = packs
        self._assembly = assembly

    def views(self) -> list[ViewKey]:
        """List every published view."""
        return self._database.read_now(lambda connection: [key for key, _ in viewlist.current(connection)])

    def check(self, key: ViewKey) -> ViewReport:
        """Check one view.

        Raises:
            CatalogUnavailable: the database does not work.
        """
        with self._database.snapshot() as connection:
            last = views.current(connection, key.label_id, key.subdir)
            if last is None:
                return ViewReport(key.channel, key.label, key.subdir, 0)
            documents = generation.decode(last.documents)
            check = _Check(connection, self._packs, self._assembly, key, documents)
            findings = tuple(check.findings())
            return ViewReport(
                key.channel,
                key.label,
                key.subdir,
                last.number,
                sum(1 for table in check.tables.values() for _ in table.pages()),
                len(check.listed.hashes),
                check.compares,
                findings,
            )

    def repair(self, key: ViewKey, now_ms: int) -> bool:
        """Mark a view to be derived anew, and drop its frames; False when it is marked already."""
        last = self._database.read_now(partial(views.current, label_id=key.label_id, subdir=key.subdir))
        if last is not None:
            self._assembly.drop(generation.decode(last.documents))
        return self._database.write_now(partial(repairing.mark_view, key=key, now_ms=now_ms))


class _Check:
    """The check of one view, on one snapshot."""

    def __init__(
        self, connection: Connection, packs: Packs, assembly: Assembly, key: ViewKey, documents: Documents
    ) -> None:
        self._connection = connection
        self._packs = packs
        self._assembly = assembly
        self._key = key
        self._documents = documents
        #: Those that could be read.
        self.tables: dict[str, PageTable] = {}
        self.listed = Listed({})
        self.compares = not repairing.is_dirty(connection, key)

    def findings(self) -> Iterator[Finding]:
        """Look at everything."""
        for name, document in self._documents.items():
            yield from self._read(name, document)
        yield from self._read_shards()
        if not self.compares:
            return
        if CHANNELDATA in self.tables:
            yield from compare_channeldata(self._connection, self._key, self.tables[CHANNELDATA])
        yield from compare_view(self._connection, self._key, self.tables)
        if SHARDS in self._documents:
            yield from compare_shards(self._connection, self._key, self.listed, self._shard)

    def _read(self, name: str, document: Document) -> Iterator[Finding]:
        """Read a document's pieces, each against its hash."""
        try:
            if isinstance(document, Whole):
                data = self._packs.read(document.place)
                self.listed = shards.read_listed(data) if name == SHARDS else Listed({})
                return
            table = load(self._packs.read, document.table).table
        except PieceDamaged as damage:
            yield Finding(name, "page table" if isinstance(document, Paged) else "document", damage.problem)
            return
        damaged = [finding for page in table.pages() if (finding := self._read_page(name, page)) is not None]
        yield from damaged
        self.tables[name] = table
        if not damaged:
            yield from self._read_frame(name, document, table)

    def _read_page(self, name: str, page: Page) -> Finding | None:
        try:
            raw = load_page(self._packs, page)
        except PieceDamaged as damage:
            return Finding(name, f"page from {page.first}", damage.problem)
        if hashlib.sha256(raw).digest() != page.raw_sha256:
            return Finding(name, f"page from {page.first}", "it does not hold the text that was pressed")
        return None

    def _read_frame(self, name: str, document: Paged, table: PageTable) -> Iterator[Finding]:
        measures = measure(table)
        promised = (document.raw_size, document.zst_size, document.raw_digest, document.zst_digest)
        found = (measures.raw_size, measures.zst_size, measures.raw_digest, measures.zst_digest)
        if promised != found:
            yield Finding(name, "page table", "sizes or digests are not those that the generation gives")
            return
        problem = self._assembly.problem_of(document, table)
        if problem:
            yield Finding(name, "frame", problem)

    def _read_shards(self) -> Iterator[Finding]:
        for name, sha256 in sorted(self.listed.hashes.items()):
            if self._shard(sha256) is None:
                yield Finding(SHARDS, f"shard of {name}", "its bytes are missing or damaged")

    def _shard(self, sha256: bytes) -> bytes | None:
        stored = shard_rows.find(self._connection, self._key.channel_id, sha256)
        if stored is None:
            return None
        try:
            return self._packs.read(Place(stored.pack, stored.start, stored.size, sha256))
        except PieceDamaged:
            return None
