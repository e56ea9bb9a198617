"""Pins keep more series of a name than the newest: ``current_index_versions`` of conda-index."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channeld.formats.current import PinMalformed, current_repodata
from tests.support.records import Record, filename, record, subdir_of

VERSIONS = ("2.7.17", "2.7.18", "3.9.1", "3.10.0", "3.10.2", "3.11.4")
PYTHONS = {version: record("python", version) for version in VERSIONS}


def kept(pins: dict[str, Sequence[str]], *records: Record) -> set[str]:
    return current_repodata({section: found.items() for section, found in subdir_of(*records).items()}, pins)


@pytest.mark.parametrize(
    ("pins", "versions"),
    [
        ([], ["3.11.4"]),
        (["2.7"], ["2.7.18", "3.11.4"]),
        (["2.7", "3.10"], ["2.7.18", "3.10.2", "3.11.4"]),
        (["3"], ["3.11.4"]),
        (["3.1"], ["3.11.4"]),
        (["3.9.1"], ["3.9.1", "3.11.4"]),
        (["3.9.*"], ["3.9.1", "3.11.4"]),
        (["3.9*"], ["3.9.1", "3.11.4"]),
    ],
)
def test_the_newest_version_under_each_pin_is_kept_beside_the_newest(
    pins: list[str], versions: list[str]
) -> None:
    assert kept({"python": pins}, *PYTHONS.values()) == {filename(PYTHONS[v]) for v in versions}


def test_a_pin_that_no_version_matches_keeps_nothing_more() -> None:
    assert kept({"python": ["2.6"], "ruby": ["3"]}, *PYTHONS.values()) == {filename(PYTHONS["3.11.4"])}


def test_dependencies_of_pinned_files_bring_versions_back_too() -> None:
    old, new = record("python", "2.7", depends=["lib <2"]), record("python", "3.11")
    libs = [record("lib", "1.0"), record("lib", "2.0")]
    assert kept({"python": ["2.7"]}, old, new, *libs) == {filename(r) for r in (old, new, *libs)}
    assert kept({}, old, new, *libs) == {filename(new), filename(libs[1])}


def test_a_dependency_is_satisfied_by_a_pinned_file() -> None:
    tool = record("tool", depends=["python <3"])
    pinned = kept({"python": ["2.7.17"]}, tool, *PYTHONS.values())
    assert pinned == {filename(r) for r in (tool, PYTHONS["2.7.17"], PYTHONS["3.11.4"])}


@pytest.mark.parametrize("pin", ["", "*", ">=3.9", "3 9", "3.9-1,"])
def test_a_pin_that_is_no_version_is_rejected(pin: str) -> None:
    with pytest.raises(PinMalformed) as rejected:
        kept({"python": [pin]}, *PYTHONS.values())
    assert (rejected.value.name, rejected.value.pin) == ("python", pin)
