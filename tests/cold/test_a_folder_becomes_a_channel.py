"""``channeld index`` writes every document of a channel beside the packages, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from channeld.cold.rejections import FolderMissing, PackagesOutsideSubdirs, SubdirUnknown
from tests.support.folders import (
    NOW,
    contents,
    decompressed,
    filenames,
    index,
    leftovers,
    make_unreadable,
    put_conda,
    put_tar_bz2,
    repodata,
    shards,
)
from tests.support.packages import TIMESTAMP

SUBDIR_FILES = {
    "current_repodata.json", "index.html", "repodata.json", "repodata.json.zst", "repodata_from_packages.json",
    "repodata_from_packages.json.zst", "repodata_shards.msgpack.zst", "run_exports.json", "run_exports.json.zst",
}  # fmt: skip
CHANNEL_FILES = {"channeldata.json", "index.html", "rss.xml"}


def test_every_document_is_written(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_conda(tmp_path, "beta", subdir="linux-64")
    report = index(tmp_path)
    expected = {f"{subdir}/{name}" for subdir in ("noarch", "linux-64") for name in SUBDIR_FILES}
    written = set(contents(tmp_path))
    assert {path for path in written if "/shards/" not in path} == expected | CHANNEL_FILES
    assert len([path for path in written if "/shards/" in path]) == 2
    assert (report.added, report.refused, report.replaced, report.removed) == (2, [], [], 0)
    assert leftovers(tmp_path) == []


def test_a_record_is_index_json_with_hashes_size_and_the_time_of_entry(tmp_path: Path) -> None:
    path = put_conda(tmp_path, "alpha", depends=["beta >=1"])
    index(tmp_path)
    (record,) = repodata(tmp_path)["packages.conda"].values()
    hashes = {name: record.pop(name) for name in ("md5", "sha256")}
    assert record == {
        "build": "0",
        "build_number": 0,
        "depends": ["beta >=1"],
        "indexed_timestamp": NOW,
        "license": "BSD-3-Clause",
        "name": "alpha",
        "noarch": "generic",
        "size": path.stat().st_size,
        "subdir": "noarch",
        "timestamp": TIMESTAMP,
        "version": "1.0",
    }
    import hashlib

    data = path.read_bytes()
    assert hashes == {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()}


def test_both_formats_stand_in_their_sections_and_nothing_is_listed_as_removed(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_tar_bz2(tmp_path, "alpha")
    index(tmp_path)
    document = repodata(tmp_path)
    assert list(document["packages"]) == ["alpha-1.0-0.tar.bz2"]
    assert list(document["packages.conda"]) == ["alpha-1.0-0.conda"]
    assert (document["info"], document["removed"], document["repodata_version"]) == (
        {"subdir": "noarch"},
        [],
        1,
    )


@pytest.mark.parametrize("name", ["repodata.json", "repodata_from_packages.json", "run_exports.json"])
def test_the_compressed_document_is_the_plain_one(tmp_path: Path, name: str) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    assert decompressed(tmp_path / "noarch" / f"{name}.zst") == (tmp_path / "noarch" / name).read_bytes()


def test_shards_have_the_records_of_repodata_with_their_run_exports(tmp_path: Path) -> None:
    run_exports = b'{"weak": ["alpha >=1"]}'
    put_conda(tmp_path, "alpha", info={"run_exports.json": run_exports})
    put_conda(tmp_path, "beta")
    index(tmp_path)
    records = repodata(tmp_path)["packages.conda"]
    expected = {
        "alpha-1.0-0.conda": {**records["alpha-1.0-0.conda"], "run_exports": {"weak": ["alpha >=1"]}},
        "beta-1.0-0.conda": {**records["beta-1.0-0.conda"], "run_exports": {}},
    }
    found = shards(tmp_path)
    assert sorted(found) == ["alpha", "beta"]
    assert found["alpha"]["packages.conda"] | found["beta"]["packages.conda"] == expected


def test_noarch_is_there_without_any_package(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha", subdir="linux-64")
    (tmp_path / "win-64").mkdir()
    index(tmp_path)
    for subdir in ("noarch", "win-64"):
        assert {path.name for path in (tmp_path / subdir).iterdir()} == SUBDIR_FILES
        assert repodata(tmp_path, subdir) == {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": {},
            "removed": [],
            "repodata_version": 1,
        }
        assert shards(tmp_path, subdir) == {}


def test_an_empty_folder_becomes_an_empty_channel(tmp_path: Path) -> None:
    report = index(tmp_path)
    assert report.added == 0
    assert filenames(tmp_path) == []
    assert repodata(tmp_path, ".", "channeldata.json") == {
        "channeldata_version": 1,
        "packages": {},
        "subdirs": ["noarch"],
    }


def test_folders_that_are_no_subdirs_are_left_alone(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    (tmp_path / "some-docs").mkdir()
    (tmp_path / "Other Things").mkdir()
    put_conda(tmp_path, "beta", subdir="newos-newarch")
    index(tmp_path)
    assert list((tmp_path / "some-docs").iterdir()) == []
    assert filenames(tmp_path, "newos-newarch") == ["beta-1.0-0.conda"]


def test_only_the_named_subdirs_are_read_and_written(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_conda(tmp_path, "beta", subdir="linux-64")
    index(tmp_path, subdirs=("linux-64",))
    assert filenames(tmp_path, "linux-64") == ["beta-1.0-0.conda"]
    assert [path.name for path in (tmp_path / "noarch").iterdir()] == ["alpha-1.0-0.conda"]
    index(tmp_path)
    index(tmp_path, subdirs=("noarch",))
    assert filenames(tmp_path, "linux-64") == ["beta-1.0-0.conda"]
    assert filenames(tmp_path) == ["alpha-1.0-0.conda"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FolderMissing, match="nowhere is not a folder"):
        index(tmp_path / "nowhere")
    with pytest.raises(SubdirUnknown, match="no subdir 'linux-64'"):
        index(tmp_path, subdirs=("linux-64",))
    assert list(tmp_path.iterdir()) == []


def test_without_shards_there_are_none_and_no_index_of_them(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path, shards=False)
    assert not list(tmp_path.rglob("*.msgpack.zst"))
    index(tmp_path)
    assert list(shards(tmp_path)) == ["alpha"]
    index(tmp_path, shards=False)
    assert not (tmp_path / "noarch" / "repodata_shards.msgpack.zst").exists()


def test_outdated_documents_of_other_indexers_are_removed(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    for name in ("repodata.json.bz2", "current_repodata.json.bz2"):
        (tmp_path / "noarch" / name).write_bytes(b"old")
    (tmp_path / "noarch" / "README.txt").write_text("mine")
    index(tmp_path)
    assert not list(tmp_path.rglob("*.bz2"))
    assert (tmp_path / "noarch" / "README.txt").read_text() == "mine"


def test_worker_processes_give_the_same_channel(tmp_path: Path) -> None:
    for folder in (tmp_path / "alone", tmp_path / "together"):
        for number in range(40):
            put_conda(folder, f"alpha{number}", subdir=("noarch", "linux-64")[number % 2])
    index(tmp_path / "alone", channel_name="same")
    index(tmp_path / "together", channel_name="same", processes=2)
    assert contents(tmp_path / "alone") == contents(tmp_path / "together")


@pytest.mark.parametrize("place", [".", "linux64", "old"])
def test_a_folder_whose_packages_are_in_no_subdir_is_not_the_one_that_was_meant(
    tmp_path: Path, place: str
) -> None:
    put_conda(tmp_path, "alpha", subdir="noarch")
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / "noarch" / "alpha-1.0-0.conda").rename(tmp_path / place / "alpha-1.0-0.conda")
    with pytest.raises(PackagesOutsideSubdirs, match="has 1 package, but none in a subdir such as noarch"):
        index(tmp_path)
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"alpha-1.0-0.conda"}


def test_a_package_beside_the_subdirs_is_left_alone(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    (tmp_path / "beta-1.0-0.conda").write_bytes(b"")
    assert index(tmp_path).added == 1


def test_folders_that_nobody_may_read_are_no_trouble_where_they_are_no_subdirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lost+found").mkdir()
    make_unreadable(monkeypatch, "lost+found")
    assert index(tmp_path).added == 0


def test_a_subdir_that_was_taken_for_the_channel_is_told_again(tmp_path: Path) -> None:
    """Also when it has a folder of its own name in it."""
    put_conda(tmp_path, "alpha")
    (tmp_path / "noarch" / "noarch").mkdir()
    with pytest.raises(PackagesOutsideSubdirs, match="has 1 package"):
        index(tmp_path / "noarch")
