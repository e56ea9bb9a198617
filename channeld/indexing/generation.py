"""What one generation of a view consists of: its documents, where they lie and what they promise.

This is what the catalog keeps of a generation, as JSON, and what the server serves from: sizes, digests and times are
known without reading a byte of the documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from channeld.indexing.pagetable import Place


@dataclass(frozen=True, slots=True)
class Paged:
    """A document made of pages: served plain, and as one zstd frame."""

    table: Place
    raw_size: int
    zst_size: int
    raw_digest: str
    zst_digest: str
    #: When its text last changed, ms.
    modified_ms: int
    #: Of a document that is drawn from another one, perhaps later: the ``raw_digest`` of that one.
    source: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A document stored in one piece and served as it is."""

    place: Place
    modified_ms: int


Document = Paged | Whole
Documents = Mapping[str, Document]


def encode(documents: Documents) -> bytes:
    """Write down what a generation consists of."""
    return orjson.dumps({name: _write(document) for name, document in documents.items()})


def _write(document: Document) -> list[Any]:
    if isinstance(document, Whole):
        return ["whole", _write_place(document.place), document.modified_ms]
    sizes = [document.raw_size, document.zst_size, document.raw_digest, document.zst_digest]
    return ["paged", _write_place(document.table), *sizes, document.modified_ms, document.source]


def _write_place(place: Place) -> list[Any]:
    return [place.pack, place.start, place.size, place.sha256.hex()]


def decode(data: bytes) -> dict[str, Document]:
    """Read what ``encode`` wrote."""
    return {name: _read(fields) for name, fields in orjson.loads(data).items()}


def _read(fields: list[Any]) -> Document:
    kind, place, *rest = fields
    if kind == "whole":
        return Whole(_read_place(place), *rest)
    return Paged(_read_place(place), *rest)


def _read_place(fields: list[Any]) -> Place:
    pack, start, size, sha256 = fields
    return Place(pack, start, size, bytes.fromhex(sha256))
