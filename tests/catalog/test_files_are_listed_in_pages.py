"""Files are listed by subdir and name in byte order, page by page, whatever the database."""

from __future__ import annotations

import pytest

from channeld.catalog import channels, listing
from channeld.catalog.database import Database
from channeld.catalog.listing import Wanted
from channeld.catalog.rejections import BadSettingValue
from tests.support.catalog import CHANNEL, add, artifact, make_channel

# Not the order of a dictionary: in byte order "-" stands before "." and "_", capitals before small letters.
NAMES = ["A-b", "a", "a-b", "a.b", "a_b", "aB", "b"]


def page(database: Database, wanted: Wanted, limit: int, after: str = "") -> tuple[list[str], str]:
    found, following = database.read_now(
        lambda connection: listing.page(connection, channels.get(connection, CHANNEL), wanted, limit, after)
    )
    return [f"{each.file.subdir}/{each.file.filename}" for each in found], following


@pytest.fixture
def expected(database: Database) -> list[str]:
    """Fill a channel, in no order, and return what it holds."""
    make_channel(database)
    packages = [
        artifact(name, subdir=subdir) for name in reversed(NAMES) for subdir in ("noarch", "linux-64")
    ]
    for package in packages:
        add(database, package)
    return [f"{key[0]}/{key[1]}" for key in sorted((each.subdir, each.filename) for each in packages)]


@pytest.mark.parametrize("limit", [1, 3, 14, 100])
def test_pages_join_without_gap_or_overlap(database: Database, expected: list[str], limit: int) -> None:
    found, after = page(database, Wanted(), limit)
    while after:
        more, after = page(database, Wanted(), limit, after)
        found += more
    assert found == expected


def test_a_page_that_ends_with_the_last_file_has_no_next(database: Database, expected: list[str]) -> None:
    assert page(database, Wanted(subdir="noarch"), len(NAMES)) == (expected[len(NAMES) :], "")


def test_a_place_that_no_page_ended_with_is_refused(database: Database, expected: list[str]) -> None:
    with pytest.raises(BadSettingValue):
        page(database, Wanted(), 1, "noarch")
