"""Reading shards and indexes back: our own, and those that other servers publish."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgpack
import zstandard
from hypothesis import given, settings

from channeld.formats.shard import (
    Shard,
    ShardIndex,
    decode_shard,
    decode_shard_index,
    encode_shard,
    encode_shard_index,
    shard_digest,
)
from tests.support.records import Sections, random_subdir, real_repodata, record, sections_of

CONDA_REPO = "fixtures/conda+conda/tests/data/conda_format_repo/linux-64"


@given(random_subdir())
@settings(deadline=None)
def test_a_shard_reads_back_as_it_was_written_but_for_nulls(sections: Sections) -> None:
    sections = {**sections, "v3.conda": {"omega-1-0": record("omega", "1")}}
    without_nulls = {
        section: {key: {f: v for f, v in one.items() if v is not None} for key, one in records.items()}
        for section, records in sections.items()
    }
    assert decode_shard(encode_shard(sections, ["b", "a"])) == Shard(without_nulls, ("a", "b"))


def test_an_index_reads_back_as_it_was_written() -> None:
    shards = {name: hashlib.sha256(name.encode()).digest() for name in ("zlib", "alpha", "_x")}
    relations = {"channel_relations": {"overrides": "../.."}}
    data = encode_shard_index(
        shards,
        subdir="linux-64",
        base_url="",
        shards_base_url="./shards/",
        created_at="2026-11-20T12:00:00.5+01:00",
        extra=relations,
    )
    info = {
        "base_url": "",
        "created_at": "2026-11-20T12:00:00.5+01:00",
        "shards_base_url": "./shards/",
        "subdir": "linux-64",
        **relations,
    }
    assert decode_shard_index(data) == ShardIndex(info, shards)


def test_hashes_that_others_wrote_in_hex_are_read() -> None:
    digest = hashlib.sha256(b"").digest()
    foreign = {"info": {"subdir": "noarch"}, "shards": {"alpha": digest.hex()}}
    assert decode_shard_index(zstandard.compress(msgpack.packb(foreign))).shards == {"alpha": digest}
    shard = {"packages": {"alpha-1-0.tar.bz2": {"name": "alpha", "md5": "00"}}}
    assert decode_shard(zstandard.compress(msgpack.packb(shard))) == Shard(
        {"packages": shard["packages"], "packages.conda": {}}, ()
    )


def test_frames_without_a_content_size_are_read() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    data = compressor.compress(msgpack.packb({"packages": {}, "packages.conda": {}}))
    assert decode_shard(data) == Shard({"packages": {}, "packages.conda": {}}, ())


def test_real_shards_say_what_their_repodata_says(test_data: Path) -> None:
    index = decode_shard_index((test_data / CONDA_REPO / "repodata_shards.msgpack.zst").read_bytes())
    found: Sections = {"packages": {}, "packages.conda": {}}
    for name, digest in index.shards.items():
        data = (test_data / CONDA_REPO / f"{digest.hex()}.msgpack.zst").read_bytes()
        assert shard_digest(data) == digest
        for section, records in decode_shard(data).sections.items():
            assert {record["name"] for record in records.values()} <= {name}
            found[section] |= records
    expected = sections_of(real_repodata(test_data, f"{CONDA_REPO}/repodata.json"))
    assert {s: set(records) for s, records in found.items()} == {s: set(r) for s, r in expected.items()}
    for section, records in expected.items():
        for key, one in records.items():
            assert {field: found[section][key][field] for field in one} == one
