"""Whether a frame is still as it was made: quickly, by its seal, and thoroughly, by its bytes.

Nobody can hash 30 MB for each reader. So a frame is sealed with its time of change, which follows from its digest and
is long past: whoever writes to the file afterwards breaks the seal.
"""

from __future__ import annotations

import hashlib
import os
from zlib import crc32

from channeld.formats.zstdframe import END, CorruptPage, check_frame
from channeld.indexing.generation import Paged
from channeld.indexing.pagetable import Page, PageTable, header


def seal(document: Paged) -> int:
    """Return the time of change of a document's frame, in ns: whole seconds before 2004, as every file system has."""
    return (crc32(document.zst_digest.encode()) >> 2) * 1_000_000_000


def is_sealed(status: os.stat_result, document: Paged) -> bool:
    """Tell whether a frame has the size and the seal that it got when it was made."""
    return status.st_size == document.zst_size and status.st_mtime_ns == seal(document)


def check_assembled(frame: bytes, document: Paged, table: PageTable) -> str:
    """Compare an assembled frame with the pieces it is made of; returns what is wrong, "" for nothing."""
    try:
        check_frame(frame, document.raw_size)
    except CorruptPage as error:
        return str(error)
    position = len(header(document.raw_size))
    for piece in table.pieces():
        if isinstance(piece, Page):
            end = position + piece.place.size
            same = hashlib.sha256(frame[position:end]).digest() == piece.place.sha256
        else:
            end = position + len(piece.encoded)
            same = frame[position:end] == piece.encoded
        if not same:
            return f"it differs from its pages at byte {position}"
        position = end
    return "" if frame[position:] == END else f"it does not end at byte {position}"
