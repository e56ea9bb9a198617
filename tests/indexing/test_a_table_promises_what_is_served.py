"""Rule: sizes and digests follow from the table, and a digest changes exactly when the bytes do."""

from __future__ import annotations

import hashlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.zstdframe import END, compress_page
from channeld.indexing.pagetable import (
    MIB,
    PADDED_FROM,
    Measures,
    Page,
    PageTable,
    Place,
    decoded_size,
    encoded_size,
    header,
    measure,
)


class Texts:
    """Pages that are made of their texts, compressed in memory."""

    def __init__(self) -> None:
        self._raw: dict[bytes, bytes] = {}
        self._compressed: dict[bytes, bytes] = {}

    def page(self, raw: bytes, level: int = 3) -> Page:
        compressed = compress_page(raw, level)
        place = Place("pack", 0, len(compressed), hashlib.sha256(compressed).digest())
        self._raw[hashlib.sha256(raw).digest()] = raw
        self._compressed[place.sha256] = compressed
        return Page(raw[:8].decode(), 1, len(raw), hashlib.sha256(raw).digest(), place, level)

    def table(self, glue: list[bytes], sections: list[list[bytes]], level: int = 3) -> PageTable:
        names = tuple(map(str, range(len(sections))))
        pages = tuple(tuple(self.page(raw, level) for raw in section) for section in sections)
        return PageTable(names, tuple(glue), pages)

    def plain(self, table: PageTable) -> bytes:
        return b"".join(
            self._raw[piece.raw_sha256] if isinstance(piece, Page) else piece.decoded
            for piece in table.pieces()
        )

    def frame(self, table: PageTable) -> bytes:
        body = b"".join(
            self._compressed[piece.place.sha256] if isinstance(piece, Page) else piece.encoded
            for piece in table.pieces()
        )
        return header(measure(table).raw_size) + body + END


TEXT = st.binary(min_size=1, max_size=200).map(lambda data: data.hex().encode())
SECTIONS = st.lists(st.lists(TEXT, max_size=3), min_size=1, max_size=3)
GLUE = st.sampled_from([b"{", b"[", b"{\n"])


@given(SECTIONS, st.lists(GLUE, min_size=4, max_size=4))
@settings(deadline=None, max_examples=60)
def test_the_frame_decodes_to_the_text_and_sizes_are_right(
    sections: list[list[bytes]], glue: list[bytes]
) -> None:
    texts = Texts()
    table = texts.table(glue[: len(sections) + 1], sections)
    plain, frame, found = texts.plain(table), texts.frame(table), measure(table)
    assert zstandard.ZstdDecompressor().decompress(frame) == plain
    assert (found.raw_size, found.zst_size) == (len(plain), len(frame))
    assert found.raw_size == sum(map(decoded_size, table.pieces()))
    assert found.zst_size == len(header(0)) + len(END) + sum(map(encoded_size, table.pieces()))


@given(SECTIONS, SECTIONS, st.sampled_from([3, 19]), st.lists(GLUE, min_size=8, max_size=8))
@settings(deadline=None, max_examples=100)
def test_digests_are_equal_exactly_when_the_bytes_are(
    one: list[list[bytes]], other: list[list[bytes]], level: int, glue: list[bytes]
) -> None:
    texts = Texts()
    first = texts.table(glue[: len(one) + 1], one)
    second = texts.table(glue[4 : len(other) + 5], other, level)
    a, b = measure(first), measure(second)
    assert (a.raw_digest == b.raw_digest) == (texts.plain(first) == texts.plain(second))
    assert (a.zst_digest == b.zst_digest) == (texts.frame(first) == texts.frame(second))


def test_pressing_better_changes_the_frame_alone() -> None:
    texts = Texts()
    raw = b"".join(b'"key%d":"value",\n' % number for number in range(500))
    quick, well = (measure(texts.table([b"{", b"}"], [[raw]], level)) for level in (1, 19))
    assert quick.raw_digest == well.raw_digest
    assert quick.zst_digest != well.zst_digest


def test_the_two_digests_of_one_document_differ() -> None:
    found = measure(PageTable((), (b"{}",), ()))
    assert found.raw_digest != found.zst_digest


def sized(texts: Texts, size: int) -> PageTable:
    """Return a table whose text without padding has so many bytes."""
    page = texts.page(b"x" * MIB)
    count, left = divmod(size - 2, MIB + 19)
    return PageTable(("s",), (b"{" * (left + 20), b"}"), ((page,) * count,))


@pytest.mark.parametrize("size", [PADDED_FROM + 1, PADDED_FROM + 700_000, PADDED_FROM + 3 * MIB])
def test_large_documents_end_in_white_space_up_to_the_next_mebibyte(size: int) -> None:
    texts = Texts()
    table = sized(texts, size)
    plain = texts.plain(table)
    assert len(plain) % MIB == 0
    assert plain.rstrip().endswith(b"}")
    assert zstandard.ZstdDecompressor().decompress(texts.frame(table)) == plain


def test_a_small_document_is_not_padded() -> None:
    texts = Texts()
    table = texts.table([b"{", b"}"], [[b"abc"]])
    assert texts.plain(table) == b"{abc}"


def test_growing_a_large_document_a_little_keeps_its_header() -> None:
    texts = Texts()
    one, two = (measure(sized(texts, PADDED_FROM + more)) for more in (100_000, 100_500))
    assert one.raw_size == two.raw_size
    assert isinstance(one, Measures)


def test_a_table_without_enough_glue_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="glue"):
        PageTable(("a",), (b"",), ((),))
