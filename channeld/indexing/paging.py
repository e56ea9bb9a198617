"""How entries become pages: cutting, editing, splitting and merging. Pure.

An entry is one line of a document: ``"key":value``, or ``"key"`` in a list. Entries of a page are joined by a comma
and a newline; compact JSON has no newline inside a value, so a page comes apart again without being parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from channeld.formats.layout import SEPARATOR
from channeld.indexing.pagetable import Page, page_index

Entry = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class PageSize:
    """When a page is full, too full, or too empty."""

    #: Entries in a freshly cut page.
    target: int = 256
    #: Plain bytes after which a page is cut whatever its count: what fits in one zstd block.
    target_bytes: int = 124 * 1024

    @property
    def most(self) -> int:
        """A page with more entries is split."""
        return self.target * 2

    @property
    def least(self) -> int:
        """A page with fewer entries is joined with its neighbour."""
        return self.target // 4


@dataclass(frozen=True, slots=True)
class Draft:
    """A page that has yet to be compressed and stored."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> str:
        return self.entries[0][0]

    @property
    def raw(self) -> bytes:
        return SEPARATOR.join(entry for _, entry in self.entries)


def split(raw: bytes) -> list[Entry]:
    """Take a page apart into its entries."""
    return [(key_of(entry), entry) for entry in raw.split(SEPARATOR)] if raw else []


def key_of(entry: bytes) -> str:
    """Return the key of an entry: the string that it begins with. Keys need no escapes (CEP 26 names)."""
    return entry[1 : entry.index(b'"', 1)].decode()


def cut(entries: Sequence[Entry], size: PageSize) -> list[Draft]:
    """Cut sorted entries into pages of even size."""
    total = sum(len(entry) for _, entry in entries)
    if len(entries) <= size.most and total <= size.target_bytes * 2:
        return [Draft(tuple(entries))] if entries else []
    parts = max(-(-len(entries) // size.target), -(-total // size.target_bytes))
    step = -(-len(entries) // parts)
    return [Draft(tuple(entries[start : start + step])) for start in range(0, len(entries), step)]


class Cutter:
    """Cuts a stream of sorted entries into pages, holding no more than one."""

    def __init__(self, size: PageSize) -> None:
        self._size = size
        self._entries: list[Entry] = []
        self._bytes = 0

    def add(self, key: str, entry: bytes) -> Draft | None:
        """Take the next entry; returns the page that it completes."""
        self._entries.append((key, entry))
        self._bytes += len(entry)
        if len(self._entries) >= self._size.target or self._bytes >= self._size.target_bytes:
            return self.finish()
        return None

    def finish(self) -> Draft | None:
        """Return the last, perhaps shorter page."""
        draft = Draft(tuple(self._entries)) if self._entries else None
        self._entries = []
        self._bytes = 0
        return draft


def edit(
    pages: Sequence[Page],
    changes: Mapping[str, bytes | None],
    load: Callable[[Page], bytes],
    size: PageSize,
) -> list[Page | Draft]:
    """Apply changes (key → entry, or None to remove it) and return the pages as they are now.

    Only the pages that hold a changed key are loaded, and a neighbour where one became too small. A page whose
    entries come out as they were is returned as it is.
    """
    if not pages:
        entries = sorted((key, entry) for key, entry in changes.items() if entry is not None)
        return list(cut(entries, size))
    touched: dict[int, dict[str, bytes | None]] = {}
    for key, entry in changes.items():
        touched.setdefault(page_index(pages, key), {})[key] = entry
    result: list[Page | Draft] = []
    for number, page in enumerate(pages):
        if number in touched:
            result.extend(_edit_page(page, touched[number], load, size))
        else:
            result.append(page)
    return _join_small(result, load, size)


def _edit_page(
    page: Page, changes: Mapping[str, bytes | None], load: Callable[[Page], bytes], size: PageSize
) -> Iterable[Page | Draft]:
    before = dict(split(load(page)))
    after = {key: entry for key, entry in {**before, **changes}.items() if entry is not None}
    if after == before:
        return [page]
    return cut(sorted(after.items()), size)


def _join_small(
    pages: list[Page | Draft], load: Callable[[Page], bytes], size: PageSize
) -> list[Page | Draft]:
    """Join each new page that is too small with a neighbour; old pages stay however small they are."""
    result: list[Page | Draft] = []
    for page in pages:
        before = result[-1] if result else None
        if before is not None and (_small_draft(page, size) or _small_draft(before, size)):
            result.pop()
            result.extend(cut([*_entries(before, load), *_entries(page, load)], size))
        else:
            result.append(page)
    return result


def _small_draft(page: Page | Draft, size: PageSize) -> bool:
    return isinstance(page, Draft) and len(page.entries) < size.least


def _entries(page: Page | Draft, load: Callable[[Page], bytes]) -> Sequence[Entry]:
    return page.entries if isinstance(page, Draft) else split(load(page))
