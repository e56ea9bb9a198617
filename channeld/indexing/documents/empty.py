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
from channeld.formats.zstdframe import END, frame_header, raw_block
from channeld.indexing.documents import names, shards

#: The index of no shards is as old as can be said, and the same on every server.
_CREATED_MS: Final = 0


@dataclass(frozen=True, slots=True)
class EmptyDocument:
    """A document of an empty view: plain, and as a zstd frame where it is offered so."""

    plain: bytes
    zst: bytes
    plain_etag: str
    zst_etag: str


def _document(plain: bytes, zst: bytes) -> EmptyDocument:
    plain_etag, zst_etag = (f'"{hashlib.sha256(data).hexdigest()[:32]}"' for data in (plain, zst))
    return EmptyDocument(plain, zst, plain_etag, zst_etag)


def _both(layout: Layout) -> EmptyDocument:
    text = layout.assemble({})
    return _document(text, frame_header(len(text)) + raw_block(text) + END)


@lru_cache(maxsize=256)
def empty_documents(subdir: str) -> MappingProxyType[str, EmptyDocument]:
    """Return the documents of a subdir with nothing in it, by name."""
    repodata = _both(repodata_layout(RepodataInfo(subdir)))
    index = shards.write_index(subdir, {}, NO_RELATIONS, _CREATED_MS)
    return MappingProxyType(
        {
            names.REPODATA: repodata,
            names.FROM_PACKAGES: repodata,
            names.CURRENT: repodata,
            names.RUN_EXPORTS: _both(run_exports_layout(subdir)),
            names.SHARDS: _document(index, index),
        }
    )
