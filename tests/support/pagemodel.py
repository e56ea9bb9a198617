"""Pages of a section against a plain dict: what paging must come to, however it goes about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from hypothesis import strategies as st

from channeld.formats.layout import SEPARATOR
from channeld.indexing.pagetable import Page, Place
from channeld.indexing.paging import Draft, PageSize, key_of, split, weight

Entries = dict[str, bytes]

#: Keys that sort closely together, with the characters that file names have.
KEYS = st.text(alphabet="ab1-._+", min_size=1, max_size=5)
VALUES = st.integers(0, 3).flatmap(lambda size: st.binary(min_size=size, max_size=size * 40)).map(bytes.hex)
CHANGES = st.dictionaries(KEYS, st.none() | VALUES, max_size=25)
SIZES = st.sampled_from([PageSize(4, 300), PageSize(8, 400), PageSize(16, 10_000)])


def entry(key: str, value: str) -> bytes:
    """Write an entry as a document has it."""
    return f'"{key}":"{value}"'.encode()


def entries_of(changes: Mapping[str, str | None], suffix: str = "") -> dict[str, bytes | None]:
    """Write changes as ``paging.edit`` takes them: by sort key."""
    return {key + suffix: None if value is None else entry(key, value) for key, value in changes.items()}


class Store:
    """Pages in memory; counts what is loaded."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self.loaded: list[Page] = []

    def keep(self, items: Iterable[Page | Draft]) -> list[Page]:
        """Store drafts as pages."""
        return [item if isinstance(item, Page) else self._keep(item) for item in items]

    def _keep(self, draft: Draft) -> Page:
        raw = draft.raw
        sha256 = hashlib.sha256(raw).digest()
        self._texts[sha256] = raw
        return Page(draft.first, len(draft.entries), len(raw), sha256, Place("pack", 0, 1, sha256), 3)

    def load(self, page: Page) -> bytes:
        self.loaded.append(page)
        return self._texts[page.raw_sha256]

    def text(self, pages: Sequence[Page]) -> bytes:
        return SEPARATOR.join(self._texts[page.raw_sha256] for page in pages)


def check_pages(
    pages: Sequence[Page], store: Store, model: Entries, size: PageSize, suffix: str = ""
) -> None:
    """Pages hold the model's entries in order, none is empty, each knows its first key, and none is too large."""
    assert store.text(pages) == SEPARATOR.join(model[key] for key in sorted(model))
    for page in pages:
        entries = split(store.text([page]))
        assert page.count == len(entries) > 0
        assert page.first == key_of(entries[0]) + suffix
        assert page.raw_size == len(store.text([page]))
        assert len(entries) <= size.most
        assert weight(entries) <= size.most_bytes or len(entries) == 1


def apply(model: Entries, changes: Mapping[str, bytes | None]) -> Entries:
    """Apply changes to the model."""
    return {key: value for key, value in {**model, **changes}.items() if value is not None}


Load = Callable[[Page], bytes]
