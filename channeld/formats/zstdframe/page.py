"""One page: compressed on its own to bare blocks that fit into a frame with others, and back (RFC 8878, 3.1.1)."""

from __future__ import annotations

import threading

import zstandard

from channeld.formats.zstdframe.blocks import CorruptPage, iter_blocks
from channeld.formats.zstdframe.frame import END, WINDOW_SIZE, frame_header

#: The most bytes of a page before compression: one window, so that a page's offsets never exceed the frame's window.
MAX_PAGE_SIZE = WINDOW_SIZE

MIN_LEVEL, MAX_LEVEL = 1, 19

# What the encoder writes before the blocks: magic number, descriptor and window descriptor (RFC 8878, 3.1.1.1). The
# descriptor is 0: no content size, no checksum, no dictionary, not a single segment.
_HEADER_SIZE = 6
_DESCRIPTOR_AT = 4

_LAST_BLOCK_BIT = 0b1


# A context keeps the memory of the largest page it had: 2 to 10 MB after 512 records, 100 MB after 8 MiB at level 19.
# Beyond this size a page gets a context of its own, so that one of them does not weigh on every thread for ever.
_LARGEST_FOR_KEPT_CONTEXT = 1024 * 1024

# libzstd has other parameters for small sources. Those for large ones are better for small pages of records too.
_AS_FOR_SIZE = 512 * 1024

# A record has two hashes that nothing repeats, so most short matches are by chance and cost more than they save. In
# 32,000 real records, in pages of 512: level 1 takes 1.1 us a record; level 10 takes 8.2 us with shortest matches of
# 5 bytes and gives 1.116 times the size of one frame of level 19, with 6 bytes 1.079; level 16 as it comes takes 100 us
# and gives 1.052, with 5 bytes and a target of 256 it takes 86 us and gives 1.042.
_SHORTEST_MATCH = 6
_SHORTEST_MATCH_OF_OPTIMAL = 5
_TARGET_LENGTH_OF_OPTIMAL = 256


class _PerThread(threading.local):
    """The zstd contexts of a thread, as threads must not share one.

    Making one anew costs about 12 microseconds: most of the time of a page of one record, 2 % of one of 512 records at
    level 1, and nothing that can be measured from level 9 on.
    """

    def __init__(self) -> None:
        self._compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_SIZE)

    def compressor(self, level: int, size: int) -> zstandard.ZstdCompressor:
        if size > _LARGEST_FOR_KEPT_CONTEXT:
            return _new_compressor(level)
        if level not in self._compressors:
            self._compressors[level] = _new_compressor(level)
        return self._compressors[level]


def _new_compressor(level: int) -> zstandard.ZstdCompressor:
    found = zstandard.ZstdCompressionParameters.from_level(level, source_size=_AS_FOR_SIZE)
    optimal = found.strategy >= zstandard.STRATEGY_BTOPT
    return zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(
            strategy=found.strategy,
            window_log=WINDOW_SIZE.bit_length() - 1,  # less where the page is smaller; so are the tables
            chain_log=found.chain_log,
            hash_log=found.hash_log,
            search_log=found.search_log,
            min_match=max(found.min_match, _SHORTEST_MATCH_OF_OPTIMAL if optimal else _SHORTEST_MATCH),
            target_length=max(found.target_length, _TARGET_LENGTH_OF_OPTIMAL if optimal else 0),
            write_checksum=False,
            write_content_size=False,
            write_dict_id=False,
        )
    )


_contexts = _PerThread()


def compress_page(raw: bytes, level: int) -> bytes:
    """Return raw as zstd blocks without a frame header, none marked as the last; an empty page is no block.

    The level is libzstd's, with parameters that suit records.
    The same page at the same level gives the same bytes in every thread, as long as libzstd is the same. In a frame,
    a ``Splice`` must stand between it and a page before it. The interpreter lock is released meanwhile.

    Raises ValueError for a page over ``MAX_PAGE_SIZE`` bytes or a level outside 1 to 19 (higher ones ask for more than
    the 8 MiB window).
    """
    if len(raw) > MAX_PAGE_SIZE:
        raise ValueError(f"A page has {MAX_PAGE_SIZE} bytes at most, and this one has {len(raw)}.")
    if not MIN_LEVEL <= level <= MAX_LEVEL:
        raise ValueError(f"The compression level of a page is {MIN_LEVEL} to {MAX_LEVEL}, not {level}.")
    if not raw:
        return b""
    frame = _contexts.compressor(level, len(raw)).compress(raw)
    assert frame[_DESCRIPTOR_AT] == 0, "the encoder wrote another frame header than it was told to"
    blocks = bytearray(memoryview(frame)[_HEADER_SIZE:])
    *_, last = iter_blocks(blocks)
    assert last.last, "the encoder's frame has no last block"
    assert last.end == len(blocks), "the encoder wrote more than one frame"
    blocks[last.start] &= ~_LAST_BLOCK_BIT
    return bytes(blocks)


def decompress_page(blocks: bytes, raw_size: int) -> bytes:
    """Return the page of raw_size bytes that ``compress_page`` made these blocks of.

    Never makes more than raw_size bytes, and never more than ``MAX_PAGE_SIZE``. Blocks carry no checksum: damage that
    still decodes to the right size goes unseen here, so the caller compares the page's hash.

    Raises CorruptPage when the blocks are damaged, belong to a frame's end, or do not decode to raw_size bytes.
    """
    if not 0 <= raw_size <= MAX_PAGE_SIZE:
        raise CorruptPage(f"A page has 0 to {MAX_PAGE_SIZE} bytes, and this one claims {raw_size}.")
    for block in iter_blocks(blocks):
        if block.last:
            raise CorruptPage(
                f"The block at byte {block.start} of the page is marked as the last of a frame."
            )
    if raw_size == 0 or not blocks:
        if raw_size or blocks:
            raise CorruptPage(f"The page claims {raw_size} bytes, but has {len(blocks)} bytes of blocks.")
        return b""
    try:
        raw = _contexts.decompressor.decompress(frame_header(raw_size) + blocks + END, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptPage(f"The page does not decode to {raw_size} bytes: {error}.") from error
    if len(raw) != raw_size:
        raise CorruptPage(f"The page decodes to {len(raw)} bytes, not to {raw_size}.")
    return raw
