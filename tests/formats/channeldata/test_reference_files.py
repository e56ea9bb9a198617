"""Of each subdir and version the newest file speaks for a name."""

from __future__ import annotations

import itertools

from channeld.formats.channeldata import reference_files
from tests.support.records import filename, record

LATE, EARLY = 1_700_000_000_000, 1_600_000_000_000


def test_the_newest_file_of_each_version_and_subdir_is_chosen() -> None:
    files = [
        ("linux-64", "alpha-1.0-0.conda", record("alpha", "1.0", "0", timestamp=EARLY)),
        ("linux-64", "alpha-1.0-1.conda", record("alpha", "1.0", "1", timestamp=LATE)),
        ("linux-64", "alpha-2.0-0.conda", record("alpha", "2.0", "0", timestamp=EARLY)),
        ("noarch", "alpha-1.0-0.conda", record("alpha", "1.0", "0", timestamp=EARLY)),
    ]
    expected = [
        ("linux-64", "alpha-1.0-1.conda"),
        ("linux-64", "alpha-2.0-0.conda"),
        ("noarch", "alpha-1.0-0.conda"),
    ]
    for order in itertools.permutations(files):
        assert reference_files(order) == expected


def test_seconds_and_milliseconds_are_compared_as_times() -> None:
    in_seconds = record("alpha", build="new", timestamp=LATE // 1000)
    in_milliseconds = record("alpha", build="old", timestamp=EARLY)
    files = [("noarch", filename(one), one) for one in (in_milliseconds, in_seconds)]
    assert reference_files(files) == [("noarch", filename(in_seconds))]


def test_of_files_of_one_time_the_conda_is_chosen_then_the_first_by_name() -> None:
    one = record("alpha", timestamp=...)
    names = ["alpha-1.0-a.tar.bz2", "alpha-1.0-b.conda", "alpha-1.0-c.conda"]
    for order in itertools.permutations(names):
        assert reference_files(("noarch", name, one) for name in order) == [("noarch", "alpha-1.0-b.conda")]


def test_no_files_have_no_reference() -> None:
    assert reference_files([]) == []
