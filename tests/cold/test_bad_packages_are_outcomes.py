"""A bad package is told with its rule and its sentence, every time, and the others are indexed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from channeld.cli.index import index as command
from channeld.cold import reading
from channeld.cold.reading import ReadFiles
from channeld.cold.refusal import Refusal
from channeld.cold.rejections import FileUnreadable
from channeld.cold.scan import Seen
from channeld.formats.archive.limits import Limits
from channeld.formats.names import Naming
from tests.support.folders import NOW, filenames, index, make_unreadable, put, put_conda
from tests.support.packages import build_conda


def told(folder: Path, **options: Any) -> list[tuple[str, str]]:
    report = index(folder, **options)
    return sorted((one.filename, one.refusal.code) for one in report.refused)


def test_bad_packages_are_refused_and_the_others_are_indexed(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put(tmp_path, "broken-1.0-0.conda", b"no zip")
    put(tmp_path, "empty-1.0-0.conda", b"")
    put(tmp_path, "nodashes.conda", build_conda("nodashes"))
    put(tmp_path, "other-1.0-0.conda", build_conda("alpha"))
    put(tmp_path, "elsewhere-1.0-0.conda", build_conda("elsewhere", subdir="linux-64"))
    put(tmp_path, "cut-1.0-0.tar.bz2", b"BZh9")
    expected = [
        ("broken-1.0-0.conda", "not_a_zip"),
        ("cut-1.0-0.tar.bz2", "stream_truncated"),
        ("elsewhere-1.0-0.conda", "subdir_contradicted"),
        ("empty-1.0-0.conda", "empty_upload"),
        ("nodashes.conda", "file_name_malformed"),
        ("other-1.0-0.conda", "part_name_mismatch"),
    ]
    assert told(tmp_path) == expected
    assert filenames(tmp_path) == ["alpha-1.0-0.conda"]


def test_a_name_that_is_no_text_is_refused_every_time(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    bad = os.fsdecode(b"bad\xff-1.0-0.conda")
    (tmp_path / "noarch" / bad).write_bytes(build_conda("bad"))
    for _ in range(2):
        assert told(tmp_path) == [(bad, "package_name_malformed")]
        assert filenames(tmp_path) == ["alpha-1.0-0.conda"]
    (tmp_path / "noarch" / bad).unlink()
    assert told(tmp_path) == []


def test_names_that_a_terminal_would_obey_are_escaped(tmp_path: Path) -> None:
    for name in ("line\nfeed-1.0-0.conda", os.fsdecode(b"no\xfftext-1.0-0.conda")):
        put_conda(tmp_path, "alpha")
        (tmp_path / "noarch" / "alpha-1.0-0.conda").rename(tmp_path / "noarch" / name)
    done = CliRunner().invoke(command, [str(tmp_path), "-j", "1"])
    assert done.exit_code == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("Refused: ")] == [
        "Refused: noarch/line\\nfeed-1.0-0.conda",
        "Refused: noarch/no\\udcfftext-1.0-0.conda",
    ]


def test_a_subdir_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_conda(tmp_path, "alpha")
    make_unreadable(monkeypatch, "noarch")
    with pytest.raises(FileUnreadable, match="noarch cannot be read: Permission denied"):
        index(tmp_path)


def test_an_unchanged_bad_package_is_told_again_without_being_read(tmp_path: Path) -> None:
    put(tmp_path, "broken-1.0-0.conda", b"no zip")
    first = index(tmp_path)
    again = index(tmp_path, now_ms=NOW + 5000)
    assert again.refused == first.refused
    assert again.size == 0


def test_a_bad_package_that_is_mended_comes_in(tmp_path: Path) -> None:
    put(tmp_path, "alpha-1.0-0.conda", b"no zip")
    index(tmp_path)
    put_conda(tmp_path, "alpha")
    report = index(tmp_path)
    assert (report.added, report.replaced, report.refused) == (1, [], [])
    assert filenames(tmp_path) == ["alpha-1.0-0.conda"]


def test_a_good_package_that_turns_bad_leaves_the_index(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put_conda(tmp_path, "beta")
    index(tmp_path)
    put(tmp_path, "alpha-1.0-0.conda", b"no zip")
    report = index(tmp_path)
    assert [one.filename for one in report.refused] == ["alpha-1.0-0.conda"]
    assert report.replaced == []
    assert filenames(tmp_path) == ["beta-1.0-0.conda"]


def test_a_bad_package_that_is_deleted_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path, "broken-1.0-0.conda", b"no zip")
    index(tmp_path)
    path.unlink()
    assert index(tmp_path).refused == []


def test_old_names_are_taken_unless_strictness_is_asked_for(tmp_path: Path) -> None:
    put_conda(tmp_path, "Alpha")
    assert told(tmp_path) == []
    assert filenames(tmp_path) == ["Alpha-1.0-0.conda"]
    assert told(tmp_path, naming=Naming.STRICT) == [("Alpha-1.0-0.conda", "package_name_malformed")]
    assert filenames(tmp_path) == []
    assert told(tmp_path) == []
    assert filenames(tmp_path) == ["Alpha-1.0-0.conda"]


def test_the_command_lists_them_with_rule_and_sentence_and_fails(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    put(tmp_path, "broken-1.0-0.conda", b"no zip")
    done = CliRunner().invoke(command, [str(tmp_path), "--no-progress"])
    assert done.exit_code == 1
    assert done.stdout.startswith("1 added, 0 replaced, 0 removed, 0 unchanged, 1 refused; ")
    assert done.stderr.splitlines()[:2] == [
        "Refused: noarch/broken-1.0-0.conda",
        "  not_a_zip: The file (6 bytes) is no zip archive, which every .conda package is, or it was cut off.",
    ]


def test_the_command_succeeds_quietly_when_all_is_well(tmp_path: Path) -> None:
    put_conda(tmp_path, "alpha")
    done = CliRunner().invoke(command, [str(tmp_path), "--quiet"])
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize("whole", [0, reading.WHOLE])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE", whole)
    path = put_conda(tmp_path, "alpha")
    status = path.stat()
    for seen in (Seen(status.st_size, 1), Seen(status.st_size - 1, status.st_mtime_ns)):
        job = ReadFiles(str(path.parent), "noarch", ((path.name, seen),), Naming.STRICT, Limits(), NOW)
        ((result, kept),) = job()
        assert isinstance(result, Refusal)
        assert (result.code, kept) == ("file_changing", "")


def test_a_file_that_is_gone_before_it_is_read_is_refused(tmp_path: Path) -> None:
    job = ReadFiles(
        str(tmp_path), "noarch", (("alpha-1.0-0.conda", Seen(5, 5)),), Naming.STRICT, Limits(), NOW
    )
    ((result, _),) = job()
    assert isinstance(result, Refusal)
    assert result.sentence == "alpha-1.0-0.conda cannot be read: No such file or directory."
