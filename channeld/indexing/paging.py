"""How entries become pages: cutting, editing, splitting and merging. Pure.

An entry is one line of a document: ``"key":value``, or ``"key"`` in a list. Entries of a page are joined by a comma
and a newline; compact JSON has no newline inside a value, so a page comes apart again without being parsed.

Entries stand in the order of their *sort keys*. That is the key itself; only in the ``v3`` sections of a repodata,
whose keys are file names without the extension, it is the whole file name. So every document lists files in the one
order in which the catalog yields them, and a view can be cut into pages as its rows stream by.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import orjson

from channeld.formats.layout import SEPARATOR
from channeld.formats.zstdframe import MAX_PAGE_SIZE
from channeld.indexing.pagetable import Page, page_index

_SEPARATOR_SIZE: Final = len(SEPARATOR)
_NEVER: Final = "\U0010ffff"  # sorts behind every key


@dataclass(frozen=True, slots=True)
class PageSize:
    """When a page is full, too full, or too empty."""

    #: Entries in a freshly cut page.
    target: int = 512
    #: Plain bytes after which a page is cut whatever its count.
    target_bytes: int = 320 * 1024

    @classmethod
    def of(cls, records: int) -> Self:
        """Return the size of pages of about so many records, of 640 bytes each; usual ones have 600."""
        return cls(records, min(records * 640, MAX_PAGE_SIZE // 2))

    @property
    def most(self) -> int:
        """A page with more entries is split."""
        return self.target * 2

    @property
    def most_bytes(self) -> int:
        """A page with more plain bytes is split, unless it has one entry only."""
        return self.target_bytes * 2

    @property
    def least(self) -> int:
        """A page with fewer entries is joined with its neighbour."""
        return self.target // 4


@dataclass(frozen=True, slots=True)
class Draft:
    """A page that has yet to be compressed and stored."""

    #: The sort key of its first entry.
    first: str
    entries: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        """Its text."""
        return SEPARATOR.join(self.entries)


@lru_cache(maxsize=64)
def suffix_of(section: str) -> str:
    """Return what a key of a section lacks to be its sort key: ``.conda`` in ``v3.conda``, nothing elsewhere."""
    return section[2:] if section.startswith("v3.") else ""


def split(raw: bytes) -> list[bytes]:
    """Take a page apart into its entries."""
    return raw.split(SEPARATOR) if raw else []


def key_of(entry: bytes) -> str:
    """Return the key of an entry: the string that it begins with. Keys need no escapes (CEP 26 names)."""
    return entry[1 : entry.index(b'"', 1)].decode()


def times_of(raw: bytes) -> tuple[int, int]:
    """Return the smallest and largest ``indexed_timestamp`` (CEP 47), in ms, among the records of a page."""
    times = [record["indexed_timestamp"] for record in orjson.loads(b"{" + raw + b"}").values()]
    return min(times), max(times)


def cut(entries: Sequence[bytes], size: PageSize, suffix: str = "") -> list[Draft]:
    """Cut sorted entries into pages of even size."""
    if not entries:
        return []
    if len(entries) <= size.most and weight(entries) <= size.most_bytes:
        return [_draft(entries, suffix)]
    step = -(-len(entries) // -(-len(entries) // size.target))
    drafts = []
    start = filled = 0
    for index, entry in enumerate(entries):
        filled += len(entry) + _SEPARATOR_SIZE
        if index > start and (index - start == step or filled > size.target_bytes):
            drafts.append(_draft(entries[start:index], suffix))
            start, filled = index, len(entry) + _SEPARATOR_SIZE
    return [*drafts, _draft(entries[start:], suffix)]


def _draft(entries: Sequence[bytes], suffix: str) -> Draft:
    return Draft(key_of(entries[0]) + suffix, tuple(entries))


def weight(entries: Sequence[bytes]) -> int:
    """Count the plain bytes of entries on a page, about."""
    return sum(map(len, entries)) + len(entries) * _SEPARATOR_SIZE


class Cutter:
    """Cuts a stream of sorted entries into pages, holding no more than one.

    Given the pages of an earlier document, it cuts where that one was cut, as far as the pages come out neither too
    full nor too empty: what has not changed is the same page again.
    """

    def __init__(self, size: PageSize, earlier: Sequence[Page] = (), suffix: str = "") -> None:
        self._size = size
        self._earlier = earlier
        self._suffix = suffix
        self._at = 0  # the earlier page in whose range the last entry fell
        self._boundary = self._next_boundary()
        self._most = size.most if earlier else size.target
        self._most_bytes = size.most_bytes if earlier else size.target_bytes
        self._entries: list[bytes] = []
        self._bytes = 0

    def add(self, key: str, entry: bytes) -> Draft | None:
        """Take the next entry, by its sort key; returns the page that is complete by that."""
        draft = None
        size = len(entry)
        if key >= self._boundary and self._crosses(key):
            draft = self.finish()
        elif len(self._entries) >= self._most or (self._entries and self._bytes + size > self._most_bytes):
            draft = self._take(self._middle() if self._earlier else len(self._entries))
        self._entries.append(entry)
        self._bytes += size + _SEPARATOR_SIZE
        return draft

    def finish(self) -> Draft | None:
        """Return the last, perhaps shorter page."""
        return self._take(len(self._entries)) if self._entries else None

    def _crosses(self, key: str) -> bool:
        """Tell whether we shall begin a page, as the earlier document does between the last entry and this one."""
        left = self._at
        while self._at + 1 < len(self._earlier) and self._earlier[self._at + 1].first <= key:
            self._at += 1
        self._boundary = self._next_boundary()
        return len(self._entries) >= self._size.least or len(self._entries) == self._earlier[left].count

    def _next_boundary(self) -> str:
        after = self._earlier[self._at + 1 : self._at + 2]
        return after[0].first if after else _NEVER

    def _middle(self) -> int:
        """Say after how many entries a page that became too full is cut."""
        filled = 0
        for index, entry in enumerate(self._entries):
            filled += len(entry) + _SEPARATOR_SIZE
            if index and (index == self._size.target or filled > self._size.target_bytes):
                return index
        return len(self._entries)

    def _take(self, count: int) -> Draft:
        taken, self._entries = self._entries[:count], self._entries[count:]
        self._bytes = weight(self._entries)
        return _draft(taken, self._suffix)


class Edits:
    """What changes make of pages. Documents that have a page in common, and change it alike, have it changed once."""

    def __init__(self, load: Callable[[Page], bytes], size: PageSize) -> None:
        """``load`` returns the text of a stored page."""
        self.load = load
        self.size = size
        self._made: dict[tuple[Any, ...], tuple[Draft, ...] | None] = {}

    def change(self, page: Page, changes: Mapping[str, bytes | None], suffix: str) -> Sequence[Page | Draft]:
        """Apply changes to a page; one whose entries come out as they were is returned as it is."""
        what = (page.first, page.raw_sha256, suffix, *sorted(changes.items()))
        if what not in self._made:
            self._made[what] = self._drafts(page, changes, suffix)
        made = self._made[what]
        return [page] if made is None else made

    def forget(self) -> None:
        """Let go of what was made."""
        self._made.clear()

    def _drafts(
        self, page: Page, changes: Mapping[str, bytes | None], suffix: str
    ) -> tuple[Draft, ...] | None:
        before = split(self.load(page))
        after = list(before)
        for key, entry in changes.items():
            at = bisect_left(after, key, key=lambda entry: key_of(entry) + suffix)
            is_there = at < len(after) and key_of(after[at]) + suffix == key
            after[at : at + is_there] = [] if entry is None else [entry]
        return None if after == before else tuple(cut(after, self.size, suffix))


def edit(
    pages: Sequence[Page], changes: Mapping[str, bytes | None], edits: Edits, suffix: str = ""
) -> list[Page | Draft]:
    """Apply changes (sort key → entry, or None to remove it) and return the pages as they are now.

    Only the pages that hold a changed key are loaded, and a neighbour where one became too small.
    """
    if not pages:
        entries = [entry for _, entry in sorted(changes.items()) if entry is not None]
        return list(cut(entries, edits.size, suffix))
    touched: dict[int, dict[str, bytes | None]] = {}
    for key, entry in changes.items():
        touched.setdefault(page_index(pages, key), {})[key] = entry
    result: list[Page | Draft] = []
    start = 0
    for number in sorted(touched):
        result.extend(pages[start:number])
        result.extend(edits.change(pages[number], touched[number], suffix))
        start = number + 1
    result.extend(pages[start:])
    return _join_small(result, edits.load, edits.size)


def _join_small(
    pages: list[Page | Draft], load: Callable[[Page], bytes], size: PageSize
) -> list[Page | Draft]:
    """Join each new page that is too small with a neighbour; old pages stay however small they are."""
    if not any(_small(page, size) for page in pages if isinstance(page, Draft)):
        return pages
    result: list[Page | Draft] = []
    for page in pages:
        before = result[-1] if result else None
        if before is not None and (_small(before, size) or _small(page, size)) and _fit(before, page, size):
            entries = (*_entries(before, load), *_entries(page, load))
            result[-1] = Draft(before.first, entries)
        else:
            result.append(page)
    return result


def _small(page: Page | Draft, size: PageSize) -> bool:
    return isinstance(page, Draft) and len(page.entries) < size.least


def _fit(one: Page | Draft, other: Page | Draft, size: PageSize) -> bool:
    counts, weights = zip(_extent(one), _extent(other), strict=True)
    return sum(counts) <= size.most and sum(weights) <= size.most_bytes


def _extent(page: Page | Draft) -> tuple[int, int]:
    if isinstance(page, Draft):
        return len(page.entries), weight(page.entries)
    return page.count, page.raw_size + _SEPARATOR_SIZE


def _entries(page: Page | Draft, load: Callable[[Page], bytes]) -> Sequence[bytes]:
    return page.entries if isinstance(page, Draft) else split(load(page))
