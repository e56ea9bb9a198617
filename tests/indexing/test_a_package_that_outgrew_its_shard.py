"""Rule: a package whose records are more than clients take in one shard keeps its last one, and the index says so.

All others go on, and so does the package once it fits again: then its shard says all that the catalog says.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from channeld.catalog import shards as shard_rows
from channeld.formats import shard
from channeld.formats.shard import decode_shard_index
from channeld.indexing.documents import shards
from channeld.indexing.documents.shards import Listed
from channeld.indexing.pagetable import Place
from tests.support.indexing import SHARDS, World, damage, package

SMALL, OTHER, SMALLER = package("alpha", "1.0"), package("alpha", "1.1"), package("alpha", "1.2")
LARGE = package("alpha", "2.0", description="x" * 4000)
SHORT_LIMIT = 3000


@pytest.fixture(autouse=True)
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "SHARD_LIMIT", SHORT_LIMIT)


def listed(world: World) -> dict[str, list[str]]:
    """Return the files that each shard lists."""
    shards: dict[str, Any] = world.seen("linux-64").documents[SHARDS]["shards"]
    return {name: sorted(found.sections["packages.conda"]) for name, found in shards.items()}


def stale(world: World) -> list[str] | None:
    found: list[str] | None = world.seen("linux-64").documents[SHARDS]["info"].get("stale_shards")
    return found


def names(*artifacts: Any) -> list[str]:
    return sorted(artifact.filename for artifact in artifacts)


@pytest.fixture
def outgrown(world: World) -> World:
    """A channel in which alpha outgrew its shard while a file of it was removed and another came."""
    world.make_channel()
    world.upload(SMALL)
    world.upload(OTHER)
    world.publish()
    assert stale(world) is None
    world.delete(OTHER)
    world.upload(LARGE)
    world.upload(SMALLER)
    world.publish()
    return world


def test_it_keeps_its_shard_and_is_named_in_the_index(outgrown: World) -> None:
    assert listed(outgrown) == {"alpha": names(SMALL, OTHER)}
    assert stale(outgrown) == ["alpha"]
    outgrown.check()


def test_other_packages_go_on(outgrown: World) -> None:
    outgrown.upload(package("beta"))
    outgrown.publish()
    assert listed(outgrown) == {"alpha": names(SMALL, OTHER), "beta": names(package("beta"))}
    assert stale(outgrown) == ["alpha"]


def test_it_stays_so_when_the_view_is_made_anew(outgrown: World) -> None:
    before = outgrown.seen("linux-64").digests()
    outgrown.mark_whole("main")
    outgrown.publish()
    assert outgrown.seen("linux-64").digests() == before


def test_once_it_fits_again_its_shard_says_all(outgrown: World) -> None:
    outgrown.delete(LARGE)
    outgrown.publish()
    assert listed(outgrown) == {"alpha": names(SMALL, SMALLER)}
    assert stale(outgrown) is None


def test_a_package_that_never_fitted_is_not_listed_but_named(world: World) -> None:
    world.make_channel()
    world.upload(LARGE)
    world.upload(package("beta"))
    world.publish()
    assert (listed(world), stale(world)) == ({"beta": names(package("beta"))}, ["alpha"])
    world.delete(LARGE)
    world.publish()
    assert (listed(world), stale(world)) == ({"beta": names(package("beta"))}, None)


def place_of_shard(world: World, name: str) -> Place:
    index = decode_shard_index(world.packs.read(world.place_of_whole(SHARDS)))
    find = partial(shard_rows.find, channel_id=world.key().channel_id, sha256=index.shards[name])
    stored = world.database.read_now(find)
    assert stored is not None
    return Place(stored.pack, stored.start, stored.size, stored.sha256)


def test_a_shard_that_was_kept_and_is_damaged_is_listed_no_more(outgrown: World) -> None:
    damage(outgrown, [place_of_shard(outgrown, "alpha")])
    outgrown.mark_whole("main")
    outgrown.publish()
    assert (listed(outgrown), stale(outgrown)) == ({}, ["alpha"])
    outgrown.check()


def problems(world: World) -> list[tuple[str, str]]:
    report = world.checker.check(world.key())
    assert report is not None
    return [(finding.part, finding.problem) for finding in report.findings]


def test_a_check_finds_a_lag_that_the_index_does_not_tell(
    outgrown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems(outgrown) == []
    monkeypatch.setattr(shards, "read_listed", lambda data: Listed(shards.read_index(data)))
    assert problems(outgrown) == [("shard of alpha", "it lags behind, and the index does not say so")]


def test_a_check_finds_a_lag_that_is_over(outgrown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "SHARD_LIMIT", 1 << 20)
    assert problems(outgrown) == [("shard of alpha", "the index says that it lags behind, but it would fit")]
