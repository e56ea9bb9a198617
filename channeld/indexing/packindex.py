"""The index that closes a pack: which pieces it has, and for which places they answer.

Most packs answer for their own places. A *merged* pack holds what still lived in packs that were mostly dead, and its
index says of each piece the place that it was first given (pack, offset). Whoever misses a pack looks there. The index
becomes visible by the same rename as the pieces, so after a crash either the old packs are whole, or they and the
merged one are. Reading needs the index of merged packs only; those of others tell the sweeper what may be moved.

    piece … piece  index (msgpack)  sha256 of the index  length of the index (8 bytes)  mark (8 bytes)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgpack

from channeld.indexing.pagetable import Place

_MARK: Final = b"chd-pack"
_TAIL: Final = 32 + 8 + len(_MARK)


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """A piece, by the place that it was first given, and where it lies in this pack."""

    place: Place
    start: int


def write_index(pieces: Iterable[StoredPiece]) -> bytes:
    """Write the index of a pack."""
    packs: dict[str, list[list[int | bytes]]] = {}
    for piece in pieces:
        place = piece.place
        packs.setdefault(place.pack, []).append([place.start, place.size, place.sha256, piece.start])
    index = bytes(msgpack.packb(packs))
    return index + hashlib.sha256(index).digest() + len(index).to_bytes(8, "big") + _MARK


def read_index(path: Path) -> list[StoredPiece] | None:
    """Read the index of a pack; None when it is gone or damaged."""
    try:
        index = _read(path)
    except OSError:
        return None
    return None if index is None else list(_pieces(index))


def _read(path: Path) -> bytes | None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _TAIL:
            return None
        file.seek(size - _TAIL)
        tail = file.read()
        length = int.from_bytes(tail[32:40], "big")
        if tail[40:] != _MARK or length > size - _TAIL:
            return None
        file.seek(size - _TAIL - length)
        index = file.read(length)
    return index if hashlib.sha256(index).digest() == tail[:32] else None


def _pieces(index: bytes) -> Iterator[StoredPiece]:
    for pack, rows in msgpack.unpackb(index).items():
        for start, size, sha256, now in rows:
            yield StoredPiece(Place(pack, start, size, sha256), now)
