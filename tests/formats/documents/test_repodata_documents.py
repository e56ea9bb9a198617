"""A repodata.json assembled from its layout is the one that conda-index would write (CEP 36, CEP 42, CEP 48)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from channeld.formats.layout import canonical_json, entry
from channeld.formats.relations import ChannelRelations
from channeld.formats.repodata import RepodataInfo, Revision, repodata_layout
from tests.support.records import Sections, filename, random_subdir, real_repodata, record, sections_of

INFO = RepodataInfo("linux-64")


def document(info: RepodataInfo, sections: Sections, removed: list[str]) -> bytes:
    entries = {
        section: [entry(key, canonical_json(records[key])) for key in sorted(records)]
        for section, records in sections.items()
    }
    return repodata_layout(info).assemble(
        {**entries, "removed": [orjson.dumps(name) for name in sorted(removed)]}
    )


@given(random_subdir())
@settings(deadline=None)
def test_random_records_make_the_document_that_conda_index_writes(sections: Sections) -> None:
    # conda_index.index.ChannelIndex.index_subdir and json_dumps
    expected = {
        "packages": sections["packages"],
        "packages.conda": sections["packages.conda"],
        "info": {"subdir": "linux-64"},
        "repodata_version": 1,
        "removed": [],
    }
    dumped = json.dumps(expected, sort_keys=True, separators=(",", ":"))
    ours = json.loads(document(INFO, sections, []))
    assert ours == json.loads(dumped)
    assert list(ours) == list(json.loads(dumped))
    assert [list(ours[section]) for section in sections] == [
        sorted(sections[section]) for section in sections
    ]


@pytest.mark.parametrize(
    "path",
    [
        "conformance/conda-index/tests/index_hotfix_pkgs/osx-64/repodata.json",
        "conformance/conda-index/tests/index_hotfix_pkgs/noarch/repodata.json",
        "conformance/conda-index/tests/index_hotfix_pkgs/osx-64/repodata_from_packages.json",
        "fixtures/conda+conda/tests/data/conda_format_repo/linux-64/repodata.json",
    ],
)
def test_real_documents_come_out_as_they_were(test_data: Path, path: str) -> None:
    expected = real_repodata(test_data, path)
    ours = document(RepodataInfo(expected["info"]["subdir"]), sections_of(expected), expected["removed"])
    assert json.loads(ours) == expected


def test_an_empty_subdir_has_every_key() -> None:
    layout = repodata_layout(INFO)
    assert layout.sections == ("packages", "packages.conda", "removed")
    assert json.loads(layout.assemble({})) == {
        "info": {"subdir": "linux-64"},
        "packages": {},
        "packages.conda": {},
        "removed": [],
        "repodata_version": 1,
    }


def test_removed_files_are_a_list_of_names() -> None:
    removed = ["b-1-0.conda", "a-1-0.tar.bz2"]
    assert json.loads(document(INFO, {}, removed))["removed"] == ["a-1-0.tar.bz2", "b-1-0.conda"]


def test_records_for_new_clients_are_nested_under_v3() -> None:
    old, new, newer = (
        record("alpha"),
        record("beta", flags=["cuda"]),
        record("gamma", extra_depends={"x": ["y"]}),
    )
    info = RepodataInfo("noarch", v3=Revision(2, oldest=1_700_000_000_000, newest=1_700_000_000_001))
    sections: Sections = {
        "packages.conda": {filename(old): old},
        "v3.conda": {"beta-1.0-0": new},
        "v3.tar.bz2": {"gamma-1.0-0": newer},
    }
    parsed: Any = json.loads(document(info, sections, []))
    assert parsed == {
        "info": {
            "subdir": "noarch",
            "repodata_revisions": {
                "v3": {"n_packages": 2, "newest": 1_700_000_000_001, "oldest": 1_700_000_000_000}
            },
        },
        "packages": {},
        "packages.conda": {filename(old): old},
        "removed": [],
        "repodata_version": 1,
        "v3": {"conda": {"beta-1.0-0": new}, "tar.bz2": {"gamma-1.0-0": newer}},
    }
    assert list(parsed) == sorted(parsed)
    assert repodata_layout(info).sections == (
        "packages",
        "packages.conda",
        "removed",
        "v3.conda",
        "v3.tar.bz2",
    )


def test_without_records_for_new_clients_nothing_speaks_of_v3() -> None:
    assert b"v3" not in repodata_layout(INFO).assemble({})
    assert b"revisions" not in repodata_layout(INFO).assemble({})


def test_relations_are_part_of_info() -> None:
    info = RepodataInfo("linux-64", ChannelRelations(overrides="../.."))
    parsed = json.loads(repodata_layout(info).assemble({}))
    assert parsed["info"] == {"channel_relations": {"overrides": "../.."}, "subdir": "linux-64"}
    assert info.document() == parsed["info"]


def test_the_glue_depends_on_info_alone() -> None:
    assert repodata_layout(RepodataInfo("linux-64")) == repodata_layout(INFO)
    assert repodata_layout(RepodataInfo("noarch")).glue[1:] == repodata_layout(INFO).glue[1:]
