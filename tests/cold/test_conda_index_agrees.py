"""What conda-index makes of the same folders is the same, but for the differences that docs/conformance.md lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack
import pytest

from tests.support.folders import decompressed, index, put, repodata, shards
from tests.support.project import ROOT
from tests.support.realchannels import Sorted, index_with_conda_index, lay_out, sort_packages

Record = dict[str, Any]

#: Each difference of a record by its name in the document: whether it is one, given the field and both values.
ABSENT: Final = object()
RECORD_DIFFERENCES: Final[dict[str, Callable[[str, Any, Any], bool]]] = {
    "indexed-timestamp": lambda field, theirs, _ours: field == "indexed_timestamp" and theirs is ABSENT,
    "depends": lambda field, theirs, ours: field == "depends" and theirs is ABSENT and ours == [],
    "timestamp-in-seconds": lambda field, theirs, ours: field == "timestamp" and ours == theirs * 1000,
    "noarch-true": lambda field, theirs, ours: (field, theirs, ours) == ("noarch", True, "generic"),
    "subdir-missing": lambda field, theirs, _ours: field == "subdir" and theirs is ABSENT,
}
CHANNELDATA_DIFFERENCES: Final[dict[str, Callable[[str, Any, Any], bool]]] = {
    "channeldata-timestamp": lambda field, theirs, ours: field == "timestamp" and ours >= theirs,
    "channeldata-source-url": lambda field, theirs, _ours: field == "source_url" and theirs is ABSENT,
}


@dataclass(frozen=True)
class Indexed:
    """The same channels, indexed by both."""

    ours: list[Path]
    theirs: list[Path]
    sorted: Sorted
    #: As <channel>/<subdir>/<file>.
    refused: set[str]
    seen: Counter[str]


@pytest.fixture(scope="module")
def indexed(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    packages = sort_packages(test_data)
    folder = tmp_path_factory.mktemp("conformance")
    theirs = lay_out(packages.good, folder / "theirs")
    index_with_conda_index(theirs)
    ours = lay_out(packages.good, folder / "ours")
    refused = {
        f"{channel.name}/{one.subdir}/{one.filename}" for channel in ours for one in index(channel).refused
    }
    return Indexed(ours, theirs, packages, refused, Counter())


def subdirs_of(channel: Path) -> list[str]:
    return sorted(path.parent.name for path in channel.glob("*/repodata.json"))


def explain(
    differences: dict[str, Callable[[str, Any, Any], bool]], theirs: Record, ours: Record
) -> list[str]:
    """Name the difference behind each field that is not the same; fails at one that has no name."""
    found = []
    for field in theirs.keys() | ours.keys():
        one, other = theirs.get(field, ABSENT), ours.get(field, ABSENT)
        if one is ABSENT or other is ABSENT or (type(one), one) != (type(other), other):
            names = [name for name, holds in differences.items() if holds(field, one, other)]
            assert len(names) == 1, (field, one, other)
            found += names
    return found


def compare(indexed: Indexed, where: str, theirs: dict[str, Record], ours: dict[str, Record]) -> None:
    """Compare the records of a section, which are the same files but for those that are refused."""
    refused = {name.rpartition("/")[2] for name in indexed.refused if name.startswith(where)}
    assert ours.keys() == theirs.keys() - refused
    indexed.seen["refused"] += len(theirs.keys() & refused)
    for filename, record in ours.items():
        indexed.seen.update(explain(RECORD_DIFFERENCES, theirs[filename], record))
        indexed.seen["records"] += 1


@pytest.mark.parametrize("name", ["repodata.json", "repodata_from_packages.json"])
def test_every_record_is_the_same(indexed: Indexed, name: str) -> None:
    for ours, theirs in zip(indexed.ours, indexed.theirs, strict=True):
        assert subdirs_of(ours) == subdirs_of(theirs)
        for subdir in subdirs_of(theirs):
            one, other = repodata(theirs, subdir, name), repodata(ours, subdir, name)
            for section in ("packages", "packages.conda"):
                compare(indexed, f"{ours.name}/{subdir}/", one.pop(section), other.pop(section))
            assert other == one
    assert indexed.seen["records"] > 400


def test_every_run_export_is_the_same(indexed: Indexed) -> None:
    for ours, theirs in zip(indexed.ours, indexed.theirs, strict=True):
        for subdir in subdirs_of(theirs):
            one, other = (repodata(folder, subdir, "run_exports.json") for folder in (theirs, ours))
            for section in ("packages", "packages.conda"):
                for filename in one[section].keys() - other[section].keys():
                    assert f"{ours.name}/{subdir}/{filename}" in indexed.refused
                    del one[section][filename]
            assert other == one


def test_every_shard_has_the_same_names_and_records(indexed: Indexed) -> None:
    for ours, theirs in zip(indexed.ours, indexed.theirs, strict=True):
        for subdir in subdirs_of(theirs):
            one, other = conda_index_shards(theirs / subdir), shards(ours, subdir)
            assert other.keys() == one.keys()
            for name, sections in other.items():
                for section in ("packages", "packages.conda"):
                    compare(indexed, f"{ours.name}/{subdir}/", one[name][section], sections[section])


def conda_index_shards(folder: Path) -> dict[str, dict[str, dict[str, Record]]]:
    listed = msgpack.unpackb(decompressed(folder / "repodata_shards.msgpack.zst"))["shards"]
    found = {}
    for name, digest in listed.items():
        shard = msgpack.unpackb(decompressed(folder / f"{digest.hex()}.msgpack.zst"))
        found[name] = {
            section: {
                filename: {
                    field: value.hex() if isinstance(value, bytes) else value
                    for field, value in record.items()
                }
                for filename, record in shard[section].items()
            }
            for section in ("packages", "packages.conda")
        }
    return found


def test_channeldata_is_the_same(indexed: Indexed) -> None:
    for ours, theirs in zip(indexed.ours, indexed.theirs, strict=True):
        one, other = (repodata(folder, ".", "channeldata.json") for folder in (theirs, ours))
        packages = one.pop("packages")
        for name, package in other.pop("packages").items():
            indexed.seen.update(explain(CHANNELDATA_DIFFERENCES, packages.pop(name), package))
        assert packages == {}
        assert other == one


#: Folders with the documents that conda-index once made of them, and the subdirs of which every package is there.
KEPT: Final = {
    "conformance/conda-index/tests/index_hotfix_pkgs": ("noarch", "osx-64"),
    "fixtures/conda+conda/tests/data/conda_format_repo": ("osx-64", "win-32"),
    "fixtures/conda+conda-libmamba-solver/tests/data/mamba_repo": ("noarch",),
    "fixtures/conda+rattler/test-data/test-server/repo": ("noarch",),
}


@pytest.mark.parametrize("folder", KEPT)
def test_the_documents_that_conda_index_left_with_real_packages_are_ours(
    test_data: Path, tmp_path: Path, folder: str
) -> None:
    unpatched = "repodata.json" if "conda_format_repo" in folder else "repodata_from_packages.json"
    for subdir in KEPT[folder]:
        listed = repodata(test_data / folder, subdir, unpatched)
        for filename in (*listed["packages"], *listed["packages.conda"]):
            put(tmp_path, filename, (test_data / folder / subdir / filename).read_bytes(), subdir)
    index(tmp_path)
    for subdir in KEPT[folder]:
        for name in (unpatched, "current_repodata.json"):
            expected, found = repodata(test_data / folder, subdir, name), repodata(tmp_path, subdir, name)
            for section in ("packages", "packages.conda"):
                theirs, ours = expected.pop(section), found.pop(section)
                assert ours.keys() == theirs.keys(), f"{subdir}/{name}"
                for filename in ours:
                    explain(RECORD_DIFFERENCES, theirs[filename], ours[filename])
            assert found == expected, f"{subdir}/{name}"


@pytest.mark.parametrize("folder", [folder for folder in KEPT if "conda_format_repo" not in folder])
def test_the_channeldata_that_conda_index_left_with_real_packages_is_ours(
    test_data: Path, tmp_path: Path, folder: str
) -> None:
    for subdir in KEPT[folder]:
        for path in (test_data / folder / subdir).glob("*-*"):
            put(tmp_path, path.name, path.read_bytes(), subdir)
    index(tmp_path)
    expected, found = (repodata(one, ".", "channeldata.json") for one in (test_data / folder, tmp_path))
    theirs = {name: without_nulls(package) for name, package in expected.pop("packages").items()}
    ours = found.pop("packages")
    assert ours.keys() == theirs.keys()
    for name, package in ours.items():
        assert explain(CHANNELDATA_DIFFERENCES, theirs[name], package) == []
    assert found == expected


def without_nulls(package: Record) -> Record:
    """conda-index writes no nulls any more; these documents are older."""
    return {field: value for field, value in package.items() if value is not None}


def test_the_document_lists_exactly_the_differences_that_there_are(indexed: Indexed) -> None:
    # The last test of this module: the others have counted.
    listed = set(re.findall(r"^\| ([a-z-]+) \|", _section("Differences from conda-index"), re.MULTILINE))
    listed.discard("difference")
    assert listed == {*RECORD_DIFFERENCES, *CHANNELDATA_DIFFERENCES, "refused"}
    if indexed.seen["channeldata-timestamp"]:
        assert {name for name in listed if indexed.seen[name]} == listed


def test_the_document_lists_exactly_the_rules_by_which_packages_are_refused(indexed: Indexed) -> None:
    listed = set(re.findall(r"^\| ([a-z_]+) \|", _section("Packages that are refused"), re.MULTILINE))
    listed.discard("rule")
    assert {*indexed.sorted.refused.values(), "file_name_mismatch"} == listed


def _section(title: str) -> str:
    text = (ROOT / "docs" / "conformance.md").read_text()
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]
