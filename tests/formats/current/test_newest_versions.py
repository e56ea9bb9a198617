"""current_repodata.json keeps the newest version of each name, with all its builds."""

from __future__ import annotations

from channeld.formats.current import current_repodata
from tests.support.records import Record, filename, record, subdir_of


def kept(*records: Record) -> set[str]:
    return current_repodata({section: found.items() for section, found in subdir_of(*records).items()})


def test_only_the_newest_version_of_a_name_is_kept() -> None:
    old, new, other = record("alpha", "1.9"), record("alpha", "1.10"), record("beta", "0.1")
    assert kept(old, new, other) == {filename(new), filename(other)}


def test_every_build_of_the_newest_version_is_kept() -> None:
    builds = [
        record("alpha", "1.0", f"py{n}_{number}", build_number=number) for n in (38, 39) for number in (0, 1)
    ]
    assert kept(*builds) == {filename(r) for r in builds}


def test_versions_are_compared_as_conda_does() -> None:
    newest = record("alpha", "1!0.1")
    assert kept(*(record("alpha", v) for v in ("9.9", "10.0.dev1", "2026.1.1")), newest) == {filename(newest)}


def test_neither_time_nor_build_number_makes_an_older_version_newer() -> None:
    late = record("alpha", "1.0", "5", build_number=5, timestamp=1_800_000_000_000)
    early = record("alpha", "1.1", timestamp=1_000_000_000_000)
    assert kept(late, early) == {filename(early)}


def test_what_conda_takes_the_newest_version_for_is_kept_with_it() -> None:
    newest, candidate, older = record("alpha", "1.2"), record("alpha", "1.2rc1"), record("alpha", "1.1")
    assert kept(newest, candidate, older) == {filename(newest), filename(candidate)}


def test_spellings_of_the_newest_version_are_kept_together() -> None:
    short, long = record("alpha", "1.0"), record("alpha", "1.0.0")
    assert kept(short, long) == {filename(short), filename(long)}


def test_an_empty_subdir_keeps_nothing() -> None:
    assert kept() == set()
    assert current_repodata({}) == set()


def test_other_sections_are_not_looked_at() -> None:
    records = {filename(r): r for r in [record("alpha")]}
    assert current_repodata({"v3.conda": records.items(), "removed": []}) == set()
