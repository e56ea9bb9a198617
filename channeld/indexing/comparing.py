"""Comparing: what the catalog says of a view, derived again, against the pages that are published.

Entries stream by and are hashed page by page, where the published document was cut; nothing is compressed or stored,
and no more than an entry is held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import labelcontents, labels
from channeld.catalog.viewrows import rows_of_names, view_rows
from channeld.catalog.views import ViewKey
from channeld.formats.channeldata import CHANNELDATA_SECTIONS
from channeld.formats.layout import SEPARATOR
from channeld.formats.relations import ChannelRelations
from channeld.formats.repodata import V3_SECTIONS
from channeld.formats.shard import ShardTooLarge, ShardUnreadable, decode_shard, shard_digest
from channeld.indexing.documents import shards
from channeld.indexing.documents.channel import channeldata_layout, channeldata_lines
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.documents.names import CHANNELDATA, SHARDS
from channeld.indexing.documents.records import RECORD_DOCUMENTS, file_in_view
from channeld.indexing.documents.shards import Listed
from channeld.indexing.pagetable import Page, PageTable
from channeld.indexing.paging import times_of

_NAMES_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    #: The document it concerns.
    document: str
    #: Which part of it, such as "page table", "packages.conda from alpha-1.0-0.conda", "shard of zlib".
    part: str
    #: What is wrong with it.
    problem: str

    def __str__(self) -> str:
        return f"{self.document}, {self.part}: {self.problem}"


def compare_view(connection: Connection, key: ViewKey, tables: Mapping[str, PageTable]) -> Iterator[Finding]:
    """Compare the record documents of a view, given the tables of those that can be read."""
    relations = ChannelRelations(**labels.relations_of(connection, key.label_id))
    compared = [
        (document, _Document(document.name, tables[document.name]))
        for document in RECORD_DOCUMENTS
        if document.name in tables
    ]
    for row in view_rows(connection, key):
        file = file_in_view(row)
        for document, published in compared:
            line = document.line(key, file)
            if line is not None:
                yield from published.take(line[0], row.filename, line[1])
    for document, published in compared:
        yield from published.finish(document.layout(key, relations))


def compare_channeldata(connection: Connection, key: ViewKey, table: PageTable) -> Iterator[Finding]:
    """Compare the channeldata.json of a label."""
    published = _Document(CHANNELDATA, table)
    names = labelcontents.names_of_label(connection, key.label_id)
    for name, line in channeldata_lines(connection, key, names):
        yield from published.take(CHANNELDATA_SECTIONS[0], name, line)
    yield from published.finish(channeldata_layout(connection, key))


def compare_shards(
    connection: Connection, key: ViewKey, listed: Listed, read: Callable[[bytes], bytes | None]
) -> Iterator[Finding]:
    """Compare the shard index with the shards that the catalog leads to.

    Args:
        listed: what the index says, as published.
        read: returns a stored shard by its hash, None where it cannot be read.
    """
    known = labelcontents.files_of_names(connection, key).keys()
    names = sorted(known | listed.hashes.keys() | listed.stale)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        chunk = names[start : start + _NAMES_AT_ONCE]
        files = shards.by_name(rows_of_names(connection, key, frozenset(chunk)))
        for name in chunk:
            try:
                derived = shards.shard(files.get(name, []), lists_removed=key.lists_removed)
            except ShardTooLarge:  # it keeps the shard it has
                problem = "" if name in listed.stale else "it lags behind, and the index does not say so"
            else:
                problem = _compare_shard(derived, listed.hashes.get(name), read)
                if name in listed.stale:
                    problem = "the index says that it lags behind, but it would fit"
            if problem:
                yield Finding(SHARDS, f"shard of {name}", problem)


def _compare_shard(derived: bytes | None, listed: bytes | None, read: Callable[[bytes], bytes | None]) -> str:
    if derived is None or listed is None:
        if derived is None and listed is None:
            return ""
        return "it is listed, but nothing of it is shown" if derived is None else "it is not listed"
    if shard_digest(derived) == listed:
        return ""
    stored = read(listed)
    if stored is None:
        return ""  # said already
    try:
        # another version of the compressor gives other bytes for the same records
        return "" if decode_shard(stored) == decode_shard(derived) else "it differs from the catalog"
    except ShardUnreadable as error:
        return str(error)


class _Document:
    """One published document, while its entries stream by again."""

    def __init__(self, name: str, table: PageTable) -> None:
        self._name = name
        self._table = table
        self._sections = {section: _section(section, table.section(section)) for section in table.names}

    def take(self, section: str, key: str, entry: bytes) -> Iterator[Finding]:
        """Take the next entry of a section, by its sort key."""
        there = self._sections.get(section)
        if there is None:
            yield Finding(self._name, f"{section} from {key}", "the section is not published")
            self._sections[section] = _section(section, ())
            return
        for page in there.take(key, entry):
            yield self._differs(section, page)

    def finish(self, layout: LayoutOf) -> Iterator[Finding]:
        """Compare the last pages, and the text around them."""
        for section, there in self._sections.items():
            for page in there.finish():
                yield self._differs(section, page)
        around = layout({name: self._table.section(name) for name in self._table.names})
        if (around.sections, around.glue) != (self._table.names, self._table.glue):
            yield Finding(self._name, "the text around the entries", "it differs from the catalog")

    def _differs(self, section: str, page: Page | None) -> Finding:
        if page is None:
            return Finding(self._name, section, "it is empty, but the catalog has entries of it")
        return Finding(self._name, f"{section} from {page.first}", "the page differs from the catalog")


def _section(name: str, pages: tuple[Page, ...]) -> _Section:
    return _Section(pages, times_of if name in V3_SECTIONS else _no_times)


def _no_times(_entry: bytes) -> tuple[int, int]:
    """Stand for the times of classic records, of which the head of a document says nothing."""
    return 0, 0


class _Section:
    """The pages of a section, each compared when its last entry has come by."""

    def __init__(self, pages: tuple[Page, ...], times_of: Callable[[bytes], tuple[int, int]]) -> None:
        self._pages = pages
        self._times_of = times_of
        self._at = 0
        self._begin()

    def _begin(self) -> None:
        self._hash = hashlib.sha256()
        self._count = 0
        self._times: set[int] = set()

    def take(self, key: str, entry: bytes) -> Iterator[Page | None]:
        """Take the next entry; yields the pages behind which it comes and that differ."""
        if not self._pages:
            if self._count == 0:
                yield None
            self._count += 1
            return
        while self._at + 1 < len(self._pages) and self._pages[self._at + 1].first <= key:
            yield from self._close()
        if self._count:
            self._hash.update(SEPARATOR)
        self._hash.update(entry)
        self._count += 1
        self._times.update(self._times_of(entry))

    def finish(self) -> Iterator[Page]:
        """Yield those of the last pages that differ."""
        while self._at < len(self._pages):
            yield from self._close()

    def _close(self) -> Iterator[Page]:
        page = self._pages[self._at]
        times = min(self._times, default=0), max(self._times, default=0)
        found = self._count, self._hash.digest(), times
        if found != (page.count, page.raw_sha256, (page.oldest_ms, page.newest_ms)):
            yield page
        self._at += 1
        self._begin()
