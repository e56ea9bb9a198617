"""One zstd frame out of pages that are compressed apart (RFC 8878).

A document is one frame: its pages' blocks under one header, so that a page that did not change is never compressed
again. Two things carry over from block to block within a frame, and each has its answer:

- Entropy tables (RFC 8878, 3.1.1.3.1 and 3.1.1.3.2): the first compressed block of a page never asks for an
  earlier table, because its encoder started fresh.
- The three repeat offsets (3.1.1.5): an encoder that starts fresh takes them to be 1, 4 and 8. A ``Splice`` between
  two pages makes them so again. Raw and RLE blocks neither read nor write them, so the first page needs none.

A document is thus::

    frame_header(size of the whole)
    raw_block(text)  page  RESET_WITH_COMMA.encoded  page  ...  raw_block(text)  RESET.encoded  page  raw_block(text)
    END
"""

from __future__ import annotations

from channeld.formats.zstdframe.blocks import CorruptPage, raw_block
from channeld.formats.zstdframe.frame import END, check_frame, frame_header
from channeld.formats.zstdframe.page import MAX_PAGE_SIZE, compress_page, decompress_page
from channeld.formats.zstdframe.reset import RESET, RESET_WITH_COMMA, Splice

__all__ = [
    "END",
    "MAX_PAGE_SIZE",
    "RESET",
    "RESET_WITH_COMMA",
    "CorruptPage",
    "Splice",
    "check_frame",
    "compress_page",
    "decompress_page",
    "frame_header",
    "raw_block",
]
