"""CHANGELOG.md is in the form of Keep a Changelog, and knows the version."""

from __future__ import annotations

import re

from packaging.version import Version

import channeld
from tests.support.project import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")


def headings(level: int) -> list[str]:
    return re.findall(rf"^{'#' * level} (.+)$", CHANGELOG, re.MULTILINE)


def test_what_is_not_released_comes_first() -> None:
    assert headings(2)[0] == "[Unreleased]"


def test_releases_have_a_version_and_a_date_and_stand_newest_first() -> None:
    releases = [RELEASE.fullmatch(heading) for heading in headings(2)[1:]]
    assert None not in releases
    order = [(tuple(map(int, found[1].split("."))), found[2]) for found in releases if found]
    assert order == sorted(order, reverse=True)


def test_the_version_is_not_older_than_the_newest_release() -> None:
    released = [Version(found[1]) for found in map(RELEASE.fullmatch, headings(2)) if found]
    assert all(Version(channeld.__version__) >= each for each in released)


def test_changes_are_grouped_under_the_six_names() -> None:
    assert set(headings(3)) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
