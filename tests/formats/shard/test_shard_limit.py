"""No shard is larger than what conda decompresses: 16 MiB."""

from __future__ import annotations

import pytest
import zstandard

from channeld.formats.shard import SHARD_LIMIT, ShardTooLarge, encode_shard
from tests.support.records import record, subdir_of


def test_a_shard_beyond_the_limit_is_rejected_with_its_size() -> None:
    big = record("alpha", description="x" * SHARD_LIMIT)
    with pytest.raises(ShardTooLarge) as rejected:
        encode_shard(subdir_of(big))
    assert rejected.value.size > rejected.value.limit == 16 * 1024 * 1024
    assert str(rejected.value) == (
        f"The records of one package name come to {rejected.value.size} bytes, more than the 16777216 clients take. "
        "Remove files of this name from the channel, or give new ones another name."
    )


def test_a_shard_of_just_the_limit_is_written() -> None:
    # A text of 64 KiB and more costs five bytes in msgpack beside its own; the empty one here costs one.
    overhead = len(zstandard.decompress(encode_shard(subdir_of(record("alpha", description=""))))) + 4
    fits = record("alpha", description="x" * (SHARD_LIMIT - overhead))
    data = encode_shard(subdir_of(fits))
    assert len(zstandard.decompress(data)) == SHARD_LIMIT
    assert zstandard.get_frame_parameters(data).window_size <= 8 << 20
