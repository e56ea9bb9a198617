"""Whatever index.json says: it is refused, or rattler and conda read the record that comes of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import Channel, SparseRepoData

from channeld.errors import Rejected
from channeld.formats.names import Naming
from channeld.formats.record import Record
from tests.support.packages import TIMESTAMP, index_json
from tests.support.record_making import NOW, record_of

ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["generic", "python", "linux-64", "3", "0", "a b", "pkg:pypi/x", "python >=3", "numpy[when='x']"]
    )
)
VALUES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    [
        *(
            "arch",
            "build_number",
            "constrains",
            "depends",
            "extra_depends",
            "features",
            "flags",
            "fn",
            "indexed_timestamp",
        ),
        *(
            "legacy_bz2_md5",
            "legacy_bz2_size",
            "license",
            "license_family",
            "md5",
            "noarch",
            "platform",
            "purls",
            "python_site_packages_path",
        ),
        *(
            "record_version",
            "repodata_revision",
            "run_exports",
            "schema_version",
            "sha256",
            "size",
            "subdir",
            "timestamp",
            "track_features",
        ),
        *("url", "attestations_sha256", "name", "version", "build", "channel", "x"),
    ]
)


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(FIELDS, VALUES, max_size=4), st.sampled_from(Naming))
def test_it_is_refused_or_read(changes: dict[str, Any], policy: Naming) -> None:
    try:
        record = record_of({**index_json("alpha"), **changes}, policy)
    except Rejected as rejection:
        json.dumps([rejection.sentence(), rejection.detail()])
        return
    fields = json.loads(record.fields)
    assert isinstance(fields["depends"], list)
    assert type(fields["build_number"]) is int
    assert None not in fields.values()
    assert "record_version" not in fields
    assert record.timestamp is None or 0 <= record.timestamp <= NOW + 300_000
    read_with_rattler(record)


def read_with_rattler(record: Record) -> None:
    document: dict[str, Any] = {"info": {"subdir": record.subdir}, "packages": {}, "packages.conda": {}}
    if record.section.is_v3:
        document["v3"] = {"tar.bz2": {}, "conda": {record.key: json.loads(record.fields)}}
    else:
        document["packages.conda"][record.key] = json.loads(record.fields)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "repodata.json")
        path.write_text(json.dumps(document))
        with SparseRepoData(Channel("x"), record.subdir, path) as repodata:
            found = repodata.load_records("alpha")
    assert [(each.name.normalized, str(each.version), str(each.build)) for each in found] == [
        ("alpha", "1.0", "0")
    ]
    assert found[0].build_number == record.build_number


def test_the_test_would_notice() -> None:
    assert TIMESTAMP < NOW
    read_with_rattler(record_of(index_json("alpha")))
    read_with_rattler(record_of(index_json("alpha", index={"flags": ["cuda"]})))
