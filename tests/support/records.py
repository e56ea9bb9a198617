"""Records of packages: single ones in a line, whole subdirs at random, and those of real repodata files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Record = dict[str, Any]
#: Section → file name → record.
Sections = dict[str, dict[str, Record]]


def record(name: str, version: str = "1.0", build: str = "0", **fields: Any) -> Record:
    """Return a record as repodata.json has it; ``fields`` change it, and drop what is given as ``...``."""
    seed = f"{name}-{version}-{build}-{fields.get('extension', '')}".encode()
    whole = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "md5": hashlib.md5(seed).hexdigest(),
        "name": name,
        "sha256": hashlib.sha256(seed).hexdigest(),
        "size": 1000,
        "subdir": "linux-64",
        "timestamp": 1_700_000_000_000,
        "version": version,
        **fields,
    }
    return {field: value for field, value in whole.items() if value is not ...}


def filename(of: Record, extension: str = "conda") -> str:
    return f"{of['name']}-{of['version']}-{of['build']}.{extension}"


def subdir_of(*records: Record, tar_bz2: tuple[Record, ...] = ()) -> Sections:
    """Put records into the sections of a repodata.json: as ``.conda``, and those of ``tar_bz2`` as that."""
    return {
        "packages": {filename(r, "tar.bz2"): r for r in tar_bz2},
        "packages.conda": {filename(r): r for r in records},
    }


def real_repodata(folder: Path, path: str) -> dict[str, Any]:
    """Read a document out of the test data."""
    document: dict[str, Any] = json.loads((folder / path).read_bytes())
    return document


def sections_of(repodata: dict[str, Any]) -> Sections:
    """Return the classic records of a repodata.json."""
    return {section: repodata.get(section, {}) for section in ("packages", "packages.conda")}


_NAMES = st.sampled_from(["alpha", "beta", "gamma-x", "delta_y"])
_VERSIONS = st.sampled_from(
    [
        "0.9",
        "1",
        "1.0",
        "1.0.0",
        "1.0rc1",
        "1.0.1",
        "1.1",
        "1.10",
        "1.2",
        "2.0.dev0",
        "2.0",
        "2.0.post1",
        "1!0.1",
    ]
)


def _dependency(draw: st.DrawFn) -> str:
    form = draw(
        st.sampled_from(
            ["{n}", "{n} {v}", "{n} {v}.*", "{n} >={v}", "{n} <{v}", "{n} >={v},<{w}", "{n} * *_1"]
        )
    )
    return form.format(n=draw(_NAMES), v=draw(_VERSIONS), w=draw(_VERSIONS))


@st.composite
def random_record(draw: st.DrawFn) -> Record:
    """A record that conda would accept, of few names and versions, so that records meet."""
    number = draw(st.integers(0, 2))
    fields: Record = {
        "build_number": number,
        "depends": [_dependency(draw) for _ in range(draw(st.integers(0, 3)))],
        "timestamp": draw(st.sampled_from([..., 1_500_000_000, 1_500_000_000_000, 1_600_000_000_123])),
        "track_features": draw(st.sampled_from([..., ..., ..., "", "mkl", ["mkl"]])),
        "license": draw(st.sampled_from([..., None, "MIT", "Apäche 2.0"])),
    }
    return record(draw(_NAMES), draw(_VERSIONS), f"{draw(st.sampled_from('hp'))}_{number}", **fields)


@st.composite
def random_subdir(draw: st.DrawFn) -> Sections:
    """The classic sections of a subdir, twins and all."""
    records = draw(st.lists(random_record(), max_size=14))
    kinds = draw(
        st.lists(st.sampled_from(["conda", "tar.bz2", "both"]), min_size=len(records), max_size=len(records))
    )
    both = list(zip(records, kinds, strict=True))
    return subdir_of(
        *(r for r, kind in both if kind != "tar.bz2"),
        tar_bz2=tuple(
            r | {"md5": hashlib.md5(r["md5"].encode()).hexdigest()} for r, kind in both if kind != "conda"
        ),
    )
