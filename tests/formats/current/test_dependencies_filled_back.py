"""A dependency that no kept file satisfies brings back the newest version that does."""

from __future__ import annotations

import pytest

from channeld.formats.current import current_repodata
from tests.support.records import Record, filename, record, subdir_of


def kept(*records: Record) -> set[str]:
    return current_repodata({section: found.items() for section, found in subdir_of(*records).items()})


LIB = {version: record("lib", version, "h_0") for version in ("1.0", "1.1", "1.2", "2.0")}


@pytest.mark.parametrize(
    ("dependency", "brings_back"),
    [
        ("lib", None),
        ("lib >=1.1", None),
        ("lib 2.0 h_0", None),
        ("lib <2", "1.2"),
        ("lib 1.1", "1.1"),
        ("lib 1.1.*", "1.1"),
        ("lib >=1.0,<1.2", "1.1"),
        ("lib 1.0|1.1", "1.1"),
        ("lib <2 h_*", "1.2"),
        ("lib <2 ^h_.$", "1.2"),
        ("lib[version='<1.2']", "1.1"),
        ("lib <2 p_*", None),
        ("lib >=3", None),
        ("nowhere <2", None),
        ("__glibc >=2.17", None),
    ],
)
def test_the_newest_version_that_satisfies_the_dependency_comes_back(
    dependency: str, brings_back: str | None
) -> None:
    tool = record("tool", depends=[dependency])
    expected = {filename(tool), filename(LIB["2.0"])}
    if brings_back:
        expected.add(filename(LIB[brings_back]))
    assert kept(tool, *LIB.values()) == expected


def test_all_builds_of_the_version_come_back() -> None:
    builds = [record("lib", "1.2", f"{kind}_0") for kind in ("cpu", "cuda")]
    tool = record("tool", depends=["lib <2 cuda_*"])
    newest = record("lib", "2.0")
    assert kept(tool, newest, *builds) == {filename(r) for r in (tool, newest, *builds)}


def test_the_dependencies_of_what_came_back_are_not_followed() -> None:
    tool = record("tool", depends=["lib <2"])
    old_lib, new_lib = record("lib", "1.0", depends=["base <2"]), record("lib", "2.0")
    old_base, new_base = record("base", "1.0"), record("base", "2.0")
    assert kept(tool, old_lib, new_lib, old_base, new_base) == {
        filename(r) for r in (tool, old_lib, new_lib, new_base)
    }


def test_dependencies_of_files_that_are_not_kept_bring_nothing_back() -> None:
    old_tool, new_tool = record("tool", "1.0", depends=["lib <2"]), record("tool", "2.0")
    assert kept(old_tool, new_tool, *LIB.values()) == {filename(new_tool), filename(LIB["2.0"])}


def test_a_dependency_satisfied_by_a_build_of_the_newest_version_brings_nothing_back() -> None:
    old = record("lib", "1.0", "cuda_0")
    newest = [record("lib", "2.0", "cpu_0"), record("lib", "2.0", "cuda_0")]
    tool = record("tool", depends=["lib * cuda_*"])
    assert kept(tool, old, *newest) == {filename(tool), *map(filename, newest)}


def test_of_two_spellings_of_a_version_the_newer_file_says_what_comes_back() -> None:
    # "=1" takes 1.0.1 too, "=1.0.0" does not.
    short = record("lib", "1", "h_0", build_number=0)
    long = record("lib", "1.0.0", "h_1", build_number=1)
    patch, newest = record("lib", "1.0.1"), record("lib", "2.0")
    tool = record("tool", depends=["lib 1.0 h_*"])
    assert kept(tool, short, long, patch, newest) == {filename(r) for r in (tool, short, long, newest)}
    short_is_newer = record("lib", "1", "h_0", timestamp=1_800_000_000_000, build_number=1)
    assert kept(tool, short_is_newer, long, patch, newest) == {
        filename(r) for r in (tool, short_is_newer, long, patch, newest)
    }
