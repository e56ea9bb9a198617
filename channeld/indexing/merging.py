"""Merged packs: what still lived in packs that were mostly dead, moved together into one file.

Behind its pieces a merged pack has an index: for each piece the place that it was first given (pack, offset), and
where it lies now. Whoever misses a pack looks there. The index is written with the pieces and becomes visible by the
same rename, so after a crash either the old packs are whole, or they and the merged one are.

    piece … piece  index (msgpack)  sha256 of the index  length of the index (8 bytes)  mark (8 bytes)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgpack

#: First place of a piece → its offset in the merged pack.
Moved = Mapping[tuple[str, int], int]

_MARK: Final = b"chd-move"
_TAIL: Final = 32 + 8 + len(_MARK)


def write_moved(moved: Moved) -> bytes:
    """Write the index that closes a merged pack."""
    by_pack: dict[str, list[int]] = {}
    for (pack, start), now in sorted(moved.items()):
        by_pack.setdefault(pack, []).extend((start, now))
    index = bytes(msgpack.packb(by_pack))
    return index + hashlib.sha256(index).digest() + len(index).to_bytes(8, "big") + _MARK


def read_moved(path: Path) -> Moved | None:
    """Read the index of a merged pack; None when it is gone or damaged: then the pack answers for nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
            if len(tail) != _TAIL or tail[-len(_MARK) :] != _MARK:
                return None
            length = int.from_bytes(tail[32:40], "big")
            if length > size - _TAIL:
                return None
            file.seek(size - _TAIL - length)
            index = file.read(length)
    except OSError:
        return None
    if hashlib.sha256(index).digest() != tail[:32]:
        return None
    return {
        (pack, start): now
        for pack, pairs in msgpack.unpackb(index).items()
        for start, now in zip(pairs[::2], pairs[1::2], strict=True)
    }
