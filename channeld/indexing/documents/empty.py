"""What an empty view looks like: one constant generation a subdir.

Clients remember a 404 (pixi for ever), so every subdir of every label answers from the moment the channel exists.
These bytes are what the first rendering of a view without files would be, so they need neither rendering nor rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from channeld.formats.layout import Layout
from channeld.formats.relations import NO_RELATIONS
from channeld.formats.repodata import RepodataInfo, repodata_layout
from channeld.formats.runexports import run_exports_layout
from channeld.formats.zstdframe import END, Splice
from channeld.indexing.documents import names, shards
from channeld.indexing.pagetable import PageTable, header, measure

#: The index of no shards is as old as can be said, and the same on every server.
_CREATED_MS: Final = 0


@dataclass(frozen=True, slots=True)
class EmptyDocument:
    """A document of an empty view: plain, and as a zstd frame where it is offered so."""

    plain: bytes
    zst: bytes
    plain_etag: str
    zst_etag: str


def _both(layout: Layout) -> EmptyDocument:
    table = PageTable(layout.sections, layout.glue, ((),) * len(layout.sections))
    measures = measure(table)
    frame = b"".join(piece.encoded for piece in table.pieces() if isinstance(piece, Splice))
    return EmptyDocument(
        layout.assemble({}),
        header(measures.raw_size) + frame + END,
        _etag(measures.raw_digest),
        _etag(measures.zst_digest),
    )


def _index(data: bytes) -> EmptyDocument:
    etag = _etag(hashlib.sha256(data).hexdigest())
    return EmptyDocument(data, data, etag, etag)


def _etag(digest: str) -> str:
    return f'"{digest[:32]}"'


@lru_cache(maxsize=256)
def empty_documents(subdir: str) -> MappingProxyType[str, EmptyDocument]:
    """Return the documents of a subdir with nothing in it, by name."""
    repodata = _both(repodata_layout(RepodataInfo(subdir)))
    index = shards.write_index(subdir, shards.Listed({}), NO_RELATIONS, _CREATED_MS)
    return MappingProxyType(
        {
            names.REPODATA: repodata,
            names.FROM_PACKAGES: repodata,
            names.CURRENT: repodata,
            names.RUN_EXPORTS: _both(run_exports_layout(subdir)),
            names.SHARDS: _index(index),
        }
    )
