"""A record is index.json, and what only the file tells (CEP 36)."""

from __future__ import annotations

import pytest

from channeld.formats.names import FileName, Naming
from channeld.formats.record import Record, Section
from tests.support.packages import TIMESTAMP, index_json
from tests.support.record_making import MD5, SHA256, record_of, record_with


@pytest.mark.parametrize("policy", Naming)
def test_the_whole_record(policy: Naming) -> None:
    index = index_json(
        "alpha", depends=["python >=3"], index={"constrains": ["numpy <2"], "home": "https://é.org"}
    )
    assert record_of(index, policy) == Record(
        filename=FileName.parse("alpha-1.0-0.conda"),
        subdir="noarch",
        section=Section.PACKAGES_CONDA,
        key="alpha-1.0-0.conda",
        fields=(
            '{"build":"0","build_number":0,"constrains":["numpy <2"],"depends":["python >=3"],'
            f'"home":"https://é.org","license":"BSD-3-Clause","md5":"{MD5}","name":"alpha","noarch":"generic",'
            f'"sha256":"{SHA256}","size":1234,"subdir":"noarch","timestamp":{TIMESTAMP},"version":"1.0"}}'
        ).encode(),
        build_number=0,
        timestamp=TIMESTAMP,
    )


def test_both_formats_have_their_section() -> None:
    record = record_with(Naming.STRICT, "alpha-1.0-0.tar.bz2")
    assert (record.section, record.key) == (Section.PACKAGES, "alpha-1.0-0.tar.bz2")
    assert (record.name, record.version, record.build) == ("alpha", "1.0", "0")
    assert not record.section.is_v3


def test_the_given_index_is_left_as_it_is() -> None:
    index = index_json("alpha", index={"track_features": ""})
    before = dict(index)
    record_of(index)
    assert index == before
