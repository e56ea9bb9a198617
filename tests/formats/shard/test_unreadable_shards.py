"""What is no shard is refused with its reason, without being blown up in memory first."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import msgpack
import pytest
import zstandard

from channeld.formats.shard import (
    SHARD_LIMIT,
    ShardUnreadable,
    decode_shard,
    decode_shard_index,
    encode_shard,
)
from tests.support.records import record, subdir_of


def packed(value: object) -> bytes:
    return zstandard.compress(msgpack.packb(value))


GOOD = encode_shard(subdir_of(record("alpha")))

BROKEN = {
    "nothing": b"",
    "json": b'{"packages": {}}',
    "cut short": GOOD[: len(GOOD) // 2],
    "not msgpack": zstandard.compress(b"\xc1"),
    "msgpack cut short": zstandard.compress(b"\x82\xa1a"),
    "two documents": zstandard.compress(msgpack.packb({}) * 2),
    "a list": packed([]),
    "text that is not UTF-8": zstandard.compress(b"\x81\xa2\xff\xff\x00"),
}


@pytest.mark.parametrize("decode", [decode_shard, decode_shard_index])
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_bytes_that_are_no_map_are_unreadable(decode: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(ShardUnreadable):
        decode(data)


@pytest.mark.parametrize(
    "document",
    [{"packages": []}, {"packages": {"a-1-0.tar.bz2": 1}}, {"packages": {}, "v3": []}, {"removed": 1}],
)
def test_a_shard_whose_records_are_no_maps_is_unreadable(document: object) -> None:
    with pytest.raises(ShardUnreadable):
        decode_shard(packed(document))


@pytest.mark.parametrize(
    "document",
    [
        {"version": 2, "shards": {}},
        {"shards": {"alpha": b"short"}},
        {"shards": {"alpha": "zz"}},
        {"shards": {"alpha": None}},
        {"shards": []},
    ],
)
def test_an_index_of_a_newer_version_or_without_hashes_is_unreadable(document: object) -> None:
    with pytest.raises(ShardUnreadable):
        decode_shard_index(packed(document))


def test_a_bomb_is_refused_without_being_decompressed() -> None:
    bomb = zstandard.compress(b"\0" * (SHARD_LIMIT * 8))
    tracemalloc.start()
    try:
        with pytest.raises(ShardUnreadable, match=f"more than {SHARD_LIMIT} bytes"):
            decode_shard(bomb)
        assert tracemalloc.get_traced_memory()[1] < SHARD_LIMIT * 3
    finally:
        tracemalloc.stop()
