"""Rule: what is hidden is in no document but the unpatched one, is listed as removed, and comes back as it was."""

from __future__ import annotations

from channeld.catalog import files
from channeld.catalog.selection import Selection
from tests.support.catalog import relabel
from tests.support.indexing import SHARDS, World, package

ALPHA, BETA = package("alpha"), package("beta")
OLD = package("alpha", "0.9")


def test_a_broken_file_is_hidden_and_listed_as_removed(world: World) -> None:
    world.upload(ALPHA)
    world.upload(BETA)
    world.publish()
    world.label(ALPHA, "broken")
    world.publish()
    seen = world.seen().documents
    assert world.names() == {BETA.filename}
    assert seen["repodata.json"]["removed"] == [ALPHA.filename]
    assert set(seen["repodata_from_packages.json"]["packages.conda"]) == {ALPHA.filename, BETA.filename}
    assert seen["repodata_from_packages.json"]["removed"] == []
    assert set(seen["run_exports.json"]["packages.conda"]) == {ALPHA.filename, BETA.filename}
    assert set(seen["current_repodata.json"]["packages.conda"]) == {BETA.filename}
    assert set(seen[SHARDS]["shards"]) == {"beta"}
    assert set(world.seen("", "main").documents["channeldata.json"]["packages"]) == {"beta"}
    assert world.names(label="broken") == {ALPHA.filename}


def test_the_shard_of_a_package_lists_what_was_removed_of_it(world: World) -> None:
    world.upload(ALPHA)
    world.upload(OLD)
    world.label(OLD, "broken")
    world.publish()
    shard = world.seen().documents[SHARDS]["shards"]["alpha"]
    assert set(shard.sections["packages.conda"]) == {ALPHA.filename}
    assert shard.removed == (OLD.filename,)


def test_it_comes_back_as_it_was(world: World) -> None:
    world.upload(ALPHA)
    world.upload(BETA)
    world.publish()
    before = world.seen()
    world.clock.advance(seconds=5)
    world.label(ALPHA, "broken")
    world.publish()
    world.unlabel(ALPHA, "broken")
    world.publish()
    now = world.seen()
    assert now.documents["repodata.json"] == before.documents["repodata.json"]
    assert now.digests()["repodata.json"] == before.digests()["repodata.json"]


def test_a_label_that_is_taken_off_removes_the_file_from_all_documents(world: World) -> None:
    world.upload(ALPHA, "main", "dev")
    world.publish()
    world.unlabel(ALPHA, "dev")
    world.publish()
    seen = world.seen(label="dev").documents
    assert seen["repodata.json"]["removed"] == [ALPHA.filename]
    for name in ("repodata.json", "repodata_from_packages.json", "run_exports.json"):
        assert seen[name]["packages.conda"] == {}
    assert seen[SHARDS]["shards"] == {}
    assert world.seen("", "dev").documents["channeldata.json"]["packages"] == {}
    assert world.names() == {ALPHA.filename}


def test_a_staging_channel_lists_nothing_as_removed(world: World) -> None:
    world.make_channel("staging", kind="staging")
    world.upload(ALPHA, channel="staging")
    world.publish()
    world.write(lambda c: files.delete(c, "staging", ALPHA.subdir, ALPHA.filename, world.actor))
    world.publish()
    seen = world.seen(channel="staging").documents
    assert seen["repodata.json"]["removed"] == []
    assert seen["repodata.json"]["packages.conda"] == {}


def test_the_other_candidate_takes_the_place_of_a_broken_one(world: World) -> None:
    world.make_channel("staging", kind="staging")
    first, second = package("alpha", content="first"), package("alpha", content="second")
    for candidate in (first, second):
        world.upload(candidate, channel="staging")
    world.publish()

    def shown() -> str:
        repodata = world.seen(channel="staging").documents["repodata.json"]
        return str(repodata["packages.conda"][first.filename]["sha256"])

    assert shown() == second.sha256
    selected = Selection(subdir=second.subdir, filename=second.filename, sha256=second.sha256)
    world.write(lambda c: relabel(c, selected, add=["broken"], channel="staging", by=world.actor))
    world.publish()
    assert shown() == first.sha256
