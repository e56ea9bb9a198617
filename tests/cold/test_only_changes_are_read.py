"""A second run reads what is new or changed, takes out what is gone, and writes the documents that differ only."""

from __future__ import annotations

import os
import shutil
from itertools import combinations
from pathlib import Path

import pytest

from channeld.cold import frames, staging
from channeld.formats.zstdframe import compress_page
from tests.support.folders import (
    EARLIER_NS,
    NOW,
    contents,
    filenames,
    index,
    leftovers,
    put,
    put_conda,
    repodata,
    shards,
)
from tests.support.packages import build_conda

DAY_MS = 86_400_000


def times(folder: Path) -> dict[str, int]:
    return {path: (folder / path).stat().st_mtime_ns for path in contents(folder)}


def test_nothing_is_read_or_written_when_nothing_changed(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    before = times(tmp_path)
    report = index(tmp_path, now_ms=NOW + 5000)
    assert (report.added, report.unchanged, report.size, report.written) == (0, 1, 0, 0)
    assert times(tmp_path) == before


def test_a_new_file_is_read_alone_and_enters_now(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    new = put_conda(tmp_path, "beta")
    report = index(tmp_path, now_ms=NOW + 5000)
    assert (report.added, report.unchanged, report.size) == (1, 1, new.stat().st_size)
    records = repodata(tmp_path)["packages.conda"]
    assert {name: record["indexed_timestamp"] for name, record in records.items()} == {
        "alpha-1.0-0.conda": NOW,
        "beta-1.0-0.conda": NOW + 5000,
    }


def test_only_the_documents_of_the_changed_subdir_are_written(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_conda(tmp_path, "beta", subdir="linux-64")
    index(tmp_path)
    before = times(tmp_path)
    put_conda(tmp_path, "gamma", subdir="linux-64")
    index(tmp_path, now_ms=NOW + 5000)
    changed = {path for path, time in times(tmp_path).items() if time != before.get(path)}
    assert {path for path in changed if path.startswith("noarch/")} == set()
    assert {"linux-64/repodata.json", "linux-64/repodata_shards.msgpack.zst", "channeldata.json"} <= changed


def test_a_file_that_is_gone_leaves_the_index_and_is_not_listed_as_removed(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    path = put_conda(tmp_path, "beta")
    index(tmp_path)
    path.unlink()
    report = index(tmp_path)
    assert (report.removed, report.unchanged, report.size) == (1, 1, 0)
    assert filenames(tmp_path) == ["alpha-1.0-0.conda"]
    assert repodata(tmp_path)["removed"] == []
    assert list(shards(tmp_path)) == ["alpha"]
    assert list(repodata(tmp_path, ".", "channeldata.json")["packages"]) == ["alpha"]


def test_a_file_that_comes_back_keeps_its_time_of_entry(tmp_path: Path) -> None:
    path = put_conda(tmp_path, "alpha")
    data = path.read_bytes()
    index(tmp_path)
    path.unlink()
    index(tmp_path, now_ms=NOW + 1000)
    assert filenames(tmp_path) == []
    path.write_bytes(data)
    index(tmp_path, now_ms=NOW + 2000)
    (record,) = repodata(tmp_path)["packages.conda"].values()
    assert record["indexed_timestamp"] == NOW


def test_a_subdir_that_is_gone_is_forgotten_and_not_made_again(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_conda(tmp_path, "beta", subdir="linux-64")
    index(tmp_path)
    shutil.rmtree(tmp_path / "linux-64")
    report = index(tmp_path)
    assert report.removed == 1
    assert not (tmp_path / "linux-64").exists()
    assert list(repodata(tmp_path, ".", "channeldata.json")["packages"]) == ["alpha"]


def test_new_bytes_under_an_old_name_win_and_are_told(tmp_path: Path) -> None:
    path = put_conda(tmp_path, "alpha")
    index(tmp_path)
    old = repodata(tmp_path)["packages.conda"]["alpha-1.0-0.conda"]
    path.write_bytes(build_conda("alpha", depends=["beta"]))
    report = index(tmp_path, now_ms=NOW + 5000)
    assert report.replaced == ["noarch/alpha-1.0-0.conda"]
    assert (report.added, report.removed) == (0, 0)
    (record,) = repodata(tmp_path)["packages.conda"].values()
    assert record["sha256"] != old["sha256"]
    assert (record["depends"], record["indexed_timestamp"]) == (["beta"], NOW + 5000)
    assert shards(tmp_path)["alpha"]["packages.conda"]["alpha-1.0-0.conda"]["depends"] == ["beta"]


def test_a_change_back_restores_the_old_record(tmp_path: Path) -> None:
    path = put_conda(tmp_path, "alpha")
    first = path.read_bytes()
    index(tmp_path)
    before = repodata(tmp_path)
    path.write_bytes(build_conda("alpha", depends=["beta"]))
    index(tmp_path, now_ms=NOW + 1000)
    path.write_bytes(first)
    assert index(tmp_path, now_ms=NOW + 2000).replaced == ["noarch/alpha-1.0-0.conda"]
    assert repodata(tmp_path) == before


def test_a_touched_file_is_read_again_and_nothing_changes(tmp_path: Path) -> None:
    path = put_conda(tmp_path, "alpha")
    index(tmp_path)
    before = contents(tmp_path)
    os.utime(path, ns=(EARLIER_NS + 10**9, EARLIER_NS + 10**9))
    report = index(tmp_path, now_ms=NOW + 5000)
    assert (report.size, report.replaced, report.written) == (path.stat().st_size, [], 0)
    assert contents(tmp_path) == before


def test_a_file_changed_just_before_the_listing_is_not_trusted_next_time(tmp_path: Path) -> None:
    packages = [build_conda("alpha", index={"license": f"Licence {number}"}) for number in range(10)]
    one, other = next((a, b) for a, b in combinations(packages, 2) if len(a) == len(b))
    just_now = (NOW - 500) * 1_000_000
    path = put(tmp_path, "alpha-1.0-0.conda", one, mtime_ns=just_now)
    index(tmp_path)
    path.write_bytes(other)
    os.utime(path, ns=(just_now, just_now))
    assert index(tmp_path, now_ms=NOW + 5000).replaced == ["noarch/alpha-1.0-0.conda"]
    assert index(tmp_path, now_ms=NOW + 9000).size == 0


def test_a_document_that_somebody_changed_or_deleted_is_written_again(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "noarch" / "repodata.json").write_text("{}")
    (tmp_path / "noarch" / "repodata.json.zst").unlink()
    next((tmp_path / "noarch" / "shards").iterdir()).unlink()
    assert index(tmp_path).written >= 2
    assert contents(tmp_path) == before


def test_a_shard_stays_a_week_after_it_was_listed_last(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    (old,) = (tmp_path / "noarch" / "shards").iterdir()
    put_conda(tmp_path, "alpha", "2.0")
    index(tmp_path, now_ms=NOW + DAY_MS)
    assert old.exists()
    index(tmp_path, now_ms=NOW + 7 * DAY_MS)
    assert old.exists()
    index(tmp_path, now_ms=NOW + 8 * DAY_MS + 1)
    assert not old.exists()
    assert list(shards(tmp_path)) == ["alpha"]


def test_a_shard_that_is_listed_again_stays(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    (shard,) = (tmp_path / "noarch" / "shards").iterdir()
    other = put_conda(tmp_path, "alpha", "2.0")
    index(tmp_path, now_ms=NOW + DAY_MS)
    other.unlink()
    index(tmp_path, now_ms=NOW + 2 * DAY_MS)
    index(tmp_path, now_ms=NOW + 30 * DAY_MS)
    assert shard.exists()
    assert list(shards(tmp_path)) == ["alpha"]


def test_what_a_killed_run_left_behind_is_swept(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    for folder in (tmp_path, tmp_path / "noarch"):
        (folder / f"{staging.PREFIX}0123-repodata.json{staging.SUFFIX}").write_bytes(b"half")
    index(tmp_path)
    assert leftovers(tmp_path) == []


def test_lost_state_is_made_again(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    index(tmp_path)
    before = contents(tmp_path)
    shutil.rmtree(tmp_path / ".channeld")
    put_conda(tmp_path, "beta")
    index(tmp_path, now_ms=NOW + 5000)
    (tmp_path / "noarch" / "beta-1.0-0.conda").unlink()
    index(tmp_path, now_ms=NOW + 6000)
    after = contents(tmp_path)
    timeless = [path for path in before if path.endswith((".json", ".zst")) and "shard" not in path]
    assert {path: after[path] for path in timeless} == {path: before[path] for path in timeless}


def test_pages_that_did_not_change_are_not_compressed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_LEAST", 500)  # so that a few packages have many pages
    monkeypatch.setattr(frames, "_ENDS", 2)
    for number in range(60):
        put_conda(tmp_path, f"package{number:02d}")
    compressed: list[bytes] = []

    def counted(raw: bytes, level: int) -> bytes:
        compressed.append(raw)
        return compress_page(raw, level)

    monkeypatch.setattr(frames, "compress_page", counted)
    index(tmp_path)
    at_first = len(compressed)
    assert at_first > 12
    for version in ("2.0", "3.0"):
        compressed.clear()
        put_conda(tmp_path, "package30", version)
        index(tmp_path, now_ms=NOW + 5000)
        assert 2 <= len(compressed) <= 6
        assert all(b'"package30-' in raw for raw in compressed[:1])
