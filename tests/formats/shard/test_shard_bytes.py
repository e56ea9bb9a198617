"""A shard is named by its bytes: the same records are the same bytes, and one zstd frame that every client reads."""

from __future__ import annotations

import hashlib
import random

import pytest
import zstandard
from hypothesis import given, settings

from channeld.formats.shard import encode_shard, encode_shard_index, shard_digest
from tests.support.records import Sections, random_subdir, record, subdir_of

MIB = 1 << 20


@given(random_subdir())
@settings(deadline=None)
def test_the_order_of_keys_and_records_does_not_change_the_bytes(sections: Sections) -> None:
    def shuffled(value: object) -> object:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.Random(len(keys)).shuffle(keys)
        return {key: shuffled(value[key]) for key in reversed(keys)}

    mixed = shuffled(sections)
    assert isinstance(mixed, dict)
    removed = ["b-1-0.conda", "a-1-0.conda"]
    assert encode_shard(mixed, removed) == encode_shard(sections, reversed(removed))


def test_nested_keys_are_sorted_too() -> None:
    weak_first = record("alpha", run_exports={"weak": ["a"], "strong": ["b"]})
    strong_first = record("alpha", run_exports={"strong": ["b"], "weak": ["a"]})
    assert encode_shard(subdir_of(weak_first)) == encode_shard(subdir_of(strong_first))


def test_one_more_field_is_another_shard() -> None:
    assert encode_shard(subdir_of(record("alpha"))) != encode_shard(subdir_of(record("alpha", license="MIT")))


def test_a_shard_is_named_by_its_compressed_bytes() -> None:
    data = encode_shard(subdir_of(record("alpha")))
    assert shard_digest(data) == hashlib.sha256(data).digest()


@pytest.mark.parametrize("count", [0, 1, 50, 5000])
def test_a_shard_is_one_frame_with_its_size_and_a_small_window(count: int) -> None:
    data = encode_shard(subdir_of(*(record("alpha", f"1.{n}", depends=["x" * 500]) for n in range(count))))
    assert_one_plain_frame(data)


def test_an_index_is_one_frame_with_its_size_and_a_small_window() -> None:
    names = {f"package-{n}": hashlib.sha256(str(n).encode()).digest() for n in range(5000)}
    data = encode_shard_index(
        names, subdir="noarch", base_url="", shards_base_url="./shards/", created_at="2026-11-20T12:00:00Z"
    )
    assert_one_plain_frame(data)


def assert_one_plain_frame(data: bytes) -> None:
    header = zstandard.get_frame_parameters(data)
    decoder = zstandard.ZstdDecompressor().decompressobj()
    decoded = decoder.decompress(data)
    assert (decoder.eof, decoder.unused_data) == (True, b"")
    assert header.content_size == len(decoded)
    assert header.window_size <= 8 * MIB
    assert not header.dict_id
