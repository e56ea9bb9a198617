"""A page compressed on its own is bare blocks that need nothing from before it but fresh repeat offsets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.zstdframe import MAX_PAGE_SIZE, compress_page, decompress_page
from channeld.formats.zstdframe.blocks import Block, BlockKind, iter_blocks
from tests.support.zstd_documents import Stuff, make_raw, record_entries, render

TREELESS_LITERALS = 3
REPEAT_MODE = 3

BLOCK = 128 * 1024


def test_an_empty_page_has_no_block() -> None:
    assert [compress_page(b"", level) for level in range(1, 20)] == [b""] * 19


@pytest.mark.parametrize("stuff", Stuff)
@pytest.mark.parametrize("size", [1, 2, 3, 500, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_page_comes_back_and_no_block_of_it_is_the_last(stuff: Stuff, size: int) -> None:
    raw = make_raw(stuff, size, seed=7)
    for level in (1, 3, 9, 16) if size < BLOCK else (1, 3, 9):
        blocks = compress_page(raw, level)

        assert decompress_page(blocks, len(raw)) == raw
        assert [block.last for block in iter_blocks(blocks) if block.last] == []
        assert sum(block.end - block.start for block in iter_blocks(blocks)) == len(blocks)


def test_noise_becomes_raw_blocks_and_one_repeated_byte_almost_nothing() -> None:
    noise = make_raw(Stuff.NOISE, 2 * BLOCK, seed=1)

    assert {block.kind for block in iter_blocks(compress_page(noise, 3))} == {BlockKind.RAW}
    assert len(compress_page(b" " * (1 << 20), 3)) < 100


def test_a_long_run_has_rle_blocks_that_come_back() -> None:
    raw = b" " * (8 * BLOCK)
    blocks = compress_page(raw, 3)

    assert BlockKind.RLE in {block.kind for block in iter_blocks(blocks)}
    assert decompress_page(blocks, len(raw)) == raw


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(Stuff),
    st.sampled_from([60, 3_000, 20_000, BLOCK + 9_000]),
    st.integers(),
    st.integers(1, 12),
)
def test_no_table_is_taken_from_before_the_page(stuff: Stuff, size: int, seed: int, level: int) -> None:
    blocks = compress_page(make_raw(stuff, size, seed % 1_000), level)
    sections = [entropy(blocks, block) for block in iter_blocks(blocks) if block.kind is BlockKind.COMPRESSED]
    huffman_coded = [literals for literals, _ in sections if literals >= 2]
    coded = [modes for _, modes in sections if modes is not None]

    assert TREELESS_LITERALS not in huffman_coded[:1]
    assert not coded or REPEAT_MODE not in coded[0]


def entropy(blocks: bytes, block: Block) -> tuple[int, tuple[int, int, int] | None]:
    """Return a compressed block's literals type, and its symbol compression modes if it has sequences.

    RFC 8878, 3.1.1.3.1 (literals section header) and 3.1.1.3.2.1 (sequences section header).
    """
    content = blocks[block.start + 3 : block.end]
    kind, size_format = content[0] & 3, content[0] >> 2 & 3
    if kind < 2:
        width = {0: 1, 2: 1, 1: 2, 3: 3}[size_format]
        size = int.from_bytes(content[:width], "little") >> (3 if width == 1 else 4)
        at = width + (1 if kind == 1 else size)
    else:
        width, bits = {0: (3, 10), 1: (3, 10), 2: (4, 14), 3: (5, 18)}[size_format]
        at = width + (int.from_bytes(content[:width], "little") >> (4 + bits) & (1 << bits) - 1)
    if content[at] == 0:
        return kind, None
    modes = content[at + (1 if content[at] < 128 else 2 if content[at] < 255 else 3)]
    return kind, (modes >> 6, modes >> 4 & 3, modes >> 2 & 3)


def test_the_bytes_do_not_depend_on_the_thread_or_on_what_it_did_before() -> None:
    pages = [render(record_entries(count, seed)) for seed, count in enumerate((1, 40, 5, 400, 90, 12) * 3)]
    jobs = [(page, level) for level in (1, 3, 9, 12) for page in pages]
    expected = [compress_page(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda job: compress_page(*job), jobs * 3)) == expected * 3
        assert [
            *pool.map(
                lambda done: decompress_page(done[0], len(done[1][0])), zip(expected, jobs, strict=True)
            )
        ] == [page for page, _ in jobs]


def test_a_large_page_has_the_same_bytes_before_and_after_small_ones() -> None:
    large = render(record_entries(4_000, seed=5))
    assert len(large) > 1 << 20
    expected = compress_page(large, 3)

    compress_page(b"small", 3)

    assert compress_page(large, 3) == expected
    assert decompress_page(expected, len(large)) == large


def test_a_page_of_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    raw = b"0123456789abcdef" * (MAX_PAGE_SIZE // 16)

    assert decompress_page(compress_page(raw, 1), MAX_PAGE_SIZE) == raw
    with pytest.raises(ValueError, match=r"^A page has 8388608 bytes at most, and this one has 8388609\.$"):
        compress_page(raw + b"x", 1)


@pytest.mark.parametrize("level", [-1, 0, 20, 22])
def test_a_level_that_asks_for_a_larger_window_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=rf"^The compression level of a page is 1 to 19, not {level}\.$"):
        compress_page(b"page", level)
