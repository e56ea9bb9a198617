"""Entries of real packages, against the channeldata.json that conda-index made of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson

from channeld.formats.archive.facts import read_channel_facts
from channeld.formats.channeldata import ReferenceFile, channeldata_layout, package_entry, reference_files
from channeld.formats.layout import canonical_json, entry
from channeld.formats.names import FileName, Naming
from tests.support.records import real_repodata, sections_of

HOTFIX = "conformance/conda-index/tests/index_hotfix_pkgs"
CONDA_REPO = "fixtures/conda+conda/tests/data/conda_format_repo"


def test_the_document_is_the_one_that_conda_index_wrote(test_data: Path) -> None:
    expected = without_nulls(real_repodata(test_data, f"{HOTFIX}/channeldata.json"))
    entries = entries_of(test_data, HOTFIX, ["noarch", "osx-64"])
    document = channeldata_layout(["osx-64", "noarch"]).assemble(
        {"packages": [entry(name, canonical_json(entries[name])) for name in sorted(entries)]}
    )
    assert orjson.loads(document) == expected


def test_an_entry_with_metadata_is_the_one_that_conda_index_wrote(test_data: Path) -> None:
    # Of the files that this document was made from, those of zlib in one subdir are there. conda-index was older then:
    # empty lists were written, run_exports were not by version.
    expected = real_repodata(test_data, f"{CONDA_REPO}/channeldata.json")["packages"]["zlib"]
    found = entries_of(test_data, CONDA_REPO, ["linux-64"], only="zlib")["zlib"]
    said = {field for field, value in expected.items() if value != []}
    compared = said - {"reference_package", "run_exports", "subdirs"}
    assert {field: found[field] for field in compared} == {field: expected[field] for field in compared}
    assert found.keys() - compared == {"run_exports", "subdirs", "timestamp"}


def entries_of(folder: Path, channel: str, subdirs: list[str], only: str = "") -> dict[str, Any]:
    names: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for subdir in subdirs:
        for records in sections_of(real_repodata(folder, f"{channel}/{subdir}/repodata.json")).values():
            for filename, record in records.items():
                names[record["name"]][subdir, filename] = record
    return {name: entry_of(folder / channel, files) for name, files in names.items() if only in {"", name}}


def entry_of(channel: Path, files: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    chosen = reference_files((subdir, filename, record) for (subdir, filename), record in files.items())
    return package_entry(
        ReferenceFile(subdir, files[subdir, filename], {}, facts_of(channel / subdir / filename))
        for subdir, filename in chosen
    )


def facts_of(path: Path) -> Any:
    with path.open("rb") as file:
        return read_channel_facts(file, FileName.parse(path.name, Naming.LEGACY), Naming.LEGACY)


def without_nulls(channeldata: dict[str, Any]) -> dict[str, Any]:
    """conda-index writes no nulls any more; this document is older."""
    packages = {
        name: {field: value for field, value in package.items() if value is not None}
        for name, package in channeldata["packages"].items()
    }
    return {**channeldata, "packages": packages}
