"""What of a record goes into a shard, and how (CEP 16, CEP 21, CEP 48)."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import zstandard

from channeld.formats.shard import encode_shard
from tests.support.records import filename, record, subdir_of

MD5 = "2e5b81671cc2b53177b94b258b1658b2"
SHA256 = "1f07873d6aa0cd18760a7b215d9956f7fa63c2f2761b03f293c659fe982923fa"


def contents(shard: bytes) -> Any:
    return msgpack.unpackb(zstandard.decompress(shard))


def test_a_shard_is_a_map_of_records_with_raw_hashes() -> None:
    one = {
        "build": "h7_3",
        "build_number": 3,
        "depends": ["libgcc-ng >=7.3.0", "zlib"],
        "legacy_bz2_md5": MD5,
        "md5": MD5,
        "name": "alpha",
        "run_exports": {"weak": ["alpha >=1,<2"]},
        "sha256": SHA256,
        "size": 122456,
        "subdir": "linux-64",
        "timestamp": 1542814864100,
        "version": "1.0",
    }
    shard = encode_shard({"packages.conda": {"alpha-1.0-h7_3.conda": one}}, ["alpha-0.9-0.conda"])
    assert contents(shard) == {
        "packages": {},
        "packages.conda": {
            "alpha-1.0-h7_3.conda": one
            | {
                "legacy_bz2_md5": bytes.fromhex(MD5),
                "md5": bytes.fromhex(MD5),
                "sha256": bytes.fromhex(SHA256),
            }
        },
        "removed": ["alpha-0.9-0.conda"],
    }


def test_other_hashes_stay_text() -> None:
    one = record("alpha", attestations_sha256=SHA256)
    (stored,) = contents(encode_shard(subdir_of(one)))["packages.conda"].values()
    assert stored["attestations_sha256"] == SHA256


def test_fields_that_are_null_are_left_out() -> None:
    one = record("alpha", license=None, noarch=None, md5=None)
    (stored,) = contents(encode_shard(subdir_of(one)))["packages.conda"].values()
    assert stored.keys() == one.keys() - {"license", "noarch", "md5"}


def test_what_is_false_or_empty_is_not_null() -> None:
    one = record("alpha", depends=[], build_number=0, license="", noarch=False)
    (stored,) = contents(encode_shard(subdir_of(one)))["packages.conda"].values()
    assert (stored["depends"], stored["build_number"], stored["license"], stored["noarch"]) == (
        [],
        0,
        "",
        False,
    )


def test_empty_run_exports_are_written_and_unknown_ones_are_not() -> None:
    none, unknown = record("alpha", "1.0", run_exports={}), record("alpha", "2.0")
    stored = contents(encode_shard(subdir_of(none, unknown)))["packages.conda"]
    assert stored[filename(none)]["run_exports"] == {}
    assert "run_exports" not in stored[filename(unknown)]


def test_a_shard_of_nothing_has_both_classic_sections() -> None:
    assert contents(encode_shard({})) == {"packages": {}, "packages.conda": {}, "removed": []}


def test_records_for_new_clients_are_under_v3_by_extension_and_stem() -> None:
    one = record("alpha", flags=["cuda"])
    shard = contents(encode_shard({"v3.conda": {"alpha-1.0-0": one}, "v3.tar.bz2": {}}))
    assert shard["v3"] == {"conda": {"alpha-1.0-0": one | hashes_of(one)}}
    assert (shard["packages"], shard["packages.conda"]) == ({}, {})


def test_removed_files_are_sorted() -> None:
    shard = contents(encode_shard({}, ["b-1-0.conda", "a-1-0.conda", "a-1-0.tar.bz2"]))
    assert shard["removed"] == ["a-1-0.conda", "a-1-0.tar.bz2", "b-1-0.conda"]


def test_the_records_given_are_not_changed() -> None:
    one = record("alpha", license=None)
    before = dict(one)
    encode_shard(subdir_of(one))
    assert one == before


@pytest.mark.parametrize("section", ["packages.whl", "removed", "v4.conda"])
def test_an_unknown_section_is_a_mistake_of_the_caller(section: str) -> None:
    with pytest.raises(ValueError, match=section):
        encode_shard({section: {"alpha-1.0-0": record("alpha")}})


@pytest.mark.parametrize("hash_", ["", "zz", MD5[:-2], SHA256 + "00"])
def test_a_hash_of_the_wrong_length_is_a_mistake_of_the_caller(hash_: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|bytes"):
        encode_shard(subdir_of(record("alpha", sha256=hash_)))


def hashes_of(one: dict[str, Any]) -> dict[str, bytes]:
    return {field: bytes.fromhex(one[field]) for field in ("md5", "sha256")}
