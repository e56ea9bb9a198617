"""What a peer took is kept with its date and machine, and is found for the very same subject only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.results import Result, Subject

SUBJECT = Subject(what="a peer, one more package", records=500_000, sample="ab", versions={"peer": "1.0"})
FIGURES = {"peak_bytes": 3_600_000_000, "seconds": 228.4}


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    kept = results.keep("publish", SUBJECT, FIGURES, tmp_path)
    found = results.find("publish", SUBJECT, tmp_path)
    assert found == kept == Result(subject=SUBJECT, date=kept.date, machine=kept.machine, figures=FIGURES)
    assert len(kept.date) == len("2026-11-21")
    assert "cores" in kept.machine
    assert [path.name for path in tmp_path.iterdir()] == ["publish.json"]


@pytest.mark.parametrize(
    "other",
    [
        replace(SUBJECT, what="a peer, another task"),
        replace(SUBJECT, records=50_000),
        replace(SUBJECT, sample="cd"),
        replace(SUBJECT, versions={"peer": "1.1"}),
    ],
)
def test_nothing_is_found_for_another_subject_and_keeping_both_keeps_both(
    tmp_path: Path, other: Subject
) -> None:
    results.keep("publish", SUBJECT, FIGURES, tmp_path)
    assert results.find("publish", other, tmp_path) is None
    results.keep("publish", other, {"seconds": 1.0}, tmp_path)
    found = [results.find("publish", subject, tmp_path) for subject in (SUBJECT, other)]
    assert [one and one.figures for one in found] == [FIGURES, {"seconds": 1.0}]


def test_a_new_result_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    results.keep("publish", SUBJECT, FIGURES, tmp_path)
    results.keep("publish", SUBJECT, {"seconds": 2.0}, tmp_path)
    found = results.find("publish", SUBJECT, tmp_path)
    assert found is not None
    assert found.figures == {"seconds": 2.0}


def test_nothing_is_found_where_nothing_was_kept(tmp_path: Path) -> None:
    assert results.find("publish", SUBJECT, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted(results.FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_what_the_project_keeps_says_when_where_and_in_which_units(path: Path) -> None:
    for one in results._read(path):
        assert results.find(path.stem, one.subject) == one
        assert {name.rpartition("_")[2] for name in one.figures} <= {"bytes", "seconds"}
        assert one.date
        assert one.machine
        assert one.subject.versions
