"""The index of a subdir: what mamba, rattler and conda need in it (CEP 16)."""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack
import pytest
import zstandard

from channeld.formats.shard import encode_shard_index

DIGEST = hashlib.sha256(b"").digest()


def index(*shards: tuple[str, bytes], created_at: str = "2026-11-20T12:00:00Z", **extra: Any) -> bytes:
    return encode_shard_index(
        dict(shards),
        subdir="linux-64",
        base_url="",
        shards_base_url="./shards/",
        created_at=created_at,
        extra=extra,
    )


def contents(data: bytes) -> Any:
    return msgpack.unpackb(zstandard.decompress(data))


def test_an_index_maps_names_to_raw_hashes() -> None:
    assert contents(index(("zlib", DIGEST))) == {
        "info": {
            "base_url": "",
            "created_at": "2026-11-20T12:00:00Z",
            "shards_base_url": "./shards/",
            "subdir": "linux-64",
        },
        "shards": {"zlib": DIGEST},
        "version": 1,
    }


def test_the_index_of_an_empty_subdir_is_complete() -> None:
    document = contents(index())
    assert (document["version"], document["shards"]) == (1, {})
    assert all(isinstance(value, str) for value in document["info"].values())


def test_names_are_sorted_and_the_bytes_do_not_depend_on_their_order() -> None:
    forth = index(("alpha", DIGEST), ("beta", DIGEST), ("_x", DIGEST))
    assert forth == index(("beta", DIGEST), ("_x", DIGEST), ("alpha", DIGEST))
    assert list(contents(forth)["shards"]) == ["_x", "alpha", "beta"]


def test_extra_info_stands_beside_what_every_index_has() -> None:
    info = contents(index(channel_relations={"overrides": "../..", "base": "../x"}))["info"]
    assert info["channel_relations"] == {"base": "../x", "overrides": "../.."}
    assert info["subdir"] == "linux-64"


def test_extra_info_cannot_replace_what_every_index_has() -> None:
    assert contents(index(base_url="https://elsewhere/"))["info"]["base_url"] == ""


@pytest.mark.parametrize(
    "time", ["", "now", "2026-11-20", "2026-11-20 12:00:00", "2026-11-20T12:00:00", "1700000000"]
)
def test_a_time_that_rattler_would_refuse_is_a_mistake_of_the_caller(time: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        index(created_at=time)


def test_a_digest_that_is_not_32_bytes_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zlib"):
        index(("zlib", b"short"))
    with pytest.raises(ValueError, match="zlib"):
        index(("alpha", DIGEST), ("zlib", DIGEST.hex().encode()))
