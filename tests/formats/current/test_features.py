"""Beside files with features stands the newest file of the name without any."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.formats.current import current_repodata
from tests.support.records import Record, filename, record, subdir_of


def kept(*records: Record) -> set[str]:
    return current_repodata({section: found.items() for section, found in subdir_of(*records).items()})


@pytest.mark.parametrize(
    "features", [{"track_features": "mkl"}, {"features": "mkl nomkl"}, {"track_features": ["mkl"]}]
)
def test_the_newest_file_without_features_is_kept_beside_one_with_them(features: dict[str, Any]) -> None:
    oldest, plain = record("alpha", "1.0"), record("alpha", "1.1")
    newest = record("alpha", "2.0", **features)
    assert kept(oldest, plain, newest) == {filename(plain), filename(newest)}


@pytest.mark.parametrize(
    "features", [{}, {"track_features": ""}, {"features": " , "}, {"features": []}, {"track_features": None}]
)
def test_without_features_nothing_older_is_kept(features: dict[str, Any]) -> None:
    plain, newest = record("alpha", "1.1"), record("alpha", "2.0", **features)
    assert kept(plain, newest) == {filename(newest)}


def test_only_one_file_is_added_the_one_with_the_greatest_build() -> None:
    newest = record("alpha", "2.0", track_features="mkl")
    builds = [record("alpha", "1.1", f"h_{n}", build_number=n, timestamp=9 - n) for n in (0, 2, 1)]
    assert kept(newest, *builds) == {filename(newest), filename(builds[1])}


def test_a_plain_build_of_the_newest_version_is_enough() -> None:
    newest, plain, older = (
        record("alpha", "2.0", "a", features="x"),
        record("alpha", "2.0", "b"),
        record("alpha", "1.0"),
    )
    assert kept(newest, plain, older) == {filename(newest), filename(plain)}


def test_files_that_a_dependency_brought_back_count_too() -> None:
    tool = record("tool", depends=["alpha 1.5"])
    newest, back, plain = record("alpha", "2.0"), record("alpha", "1.5", features="x"), record("alpha", "1.0")
    featured_newest = record("alpha", "2.0", features="x")
    assert kept(tool, newest, back, plain) == {filename(r) for r in (tool, newest, back)}
    assert kept(tool, featured_newest, back, plain) == {filename(r) for r in (tool, newest, back, plain)}


def test_a_name_that_has_only_files_with_features_keeps_no_other() -> None:
    older, newest = record("alpha", "1.0", features="x"), record("alpha", "2.0", features="x")
    assert kept(older, newest) == {filename(newest)}


def test_of_two_spellings_of_a_version_the_newest_plain_file_is_taken() -> None:
    newest = record("alpha", "2.0", features="x")
    short, long = record("alpha", "1.0", "h_0"), record("alpha", "1.0.0", "h_1", build_number=1)
    assert kept(newest, short, long) == {filename(newest), filename(long)}
