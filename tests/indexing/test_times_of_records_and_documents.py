"""Rule: a record's ``indexed_timestamp`` is when the file first came into the view; a document's time, when its text
last changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from channeld.catalog import labels
from tests.support.indexing import CHANNEL, SHARDS, World, package

ALPHA, BETA = package("alpha"), package("beta")


def entered(world: World, label: str = "main") -> dict[str, int]:
    repodata = world.seen(label=label).documents["repodata.json"]
    return {name: record["indexed_timestamp"] for name, record in repodata["packages.conda"].items()}


def after(world: World, seconds: float = 10) -> int:
    world.clock.advance(seconds=seconds)
    return int(world.clock.now_ms())


def test_it_is_set_when_the_file_comes_into_the_view_and_is_each_labels_own(world: World) -> None:
    first = world.clock.now_ms()
    world.upload(ALPHA, "main")
    second = after(world)
    world.label(ALPHA, "dev")
    after(world)
    world.publish()
    assert entered(world) == {ALPHA.filename: first}
    assert entered(world, "dev") == {ALPHA.filename: second}


def test_it_is_kept_through_removal_broken_deletion_and_a_rebuild(world: World) -> None:
    first = world.clock.now_ms()
    world.upload(ALPHA)
    world.publish()
    changes: list[list[Callable[[], None]]] = [
        [partial(world.unlabel, ALPHA, "main"), partial(world.label, ALPHA, "main")],
        [partial(world.label, ALPHA, "broken"), partial(world.unlabel, ALPHA, "broken")],
        [partial(world.delete, ALPHA), partial(world.upload, ALPHA)],
        [world.mark_whole],
    ]
    for there_and_back in changes:
        for change in there_and_back:
            after(world)
            change()
            world.publish()
        assert entered(world) == {ALPHA.filename: first}


def test_shards_and_both_repodata_documents_agree_on_it(world: World) -> None:
    world.upload(ALPHA)
    after(world)
    world.publish()
    seen = world.seen().documents
    times = {
        record["indexed_timestamp"]
        for records in (
            seen["repodata.json"]["packages.conda"],
            seen["repodata_from_packages.json"]["packages.conda"],
            seen[SHARDS]["shards"]["alpha"].sections["packages.conda"],
        )
        for record in records.values()
    }
    assert times == {world.clock.now_ms() - 10_000}


def test_a_document_that_says_the_same_keeps_its_time_and_its_digests(world: World) -> None:
    world.upload(ALPHA)
    world.publish()
    before = world.seen()
    after(world)
    world.label(ALPHA, "dev")  # changes nothing in main
    world.mark_whole()
    world.publish()
    now = world.seen()
    assert now.digests() == before.digests()
    assert now.modified() == before.modified()
    assert now.number == before.number


def test_only_what_says_something_new_gets_a_new_time(world: World) -> None:
    world.upload(ALPHA)
    world.publish()
    first = world.seen()
    world.label(ALPHA, "broken")
    later = after(world)
    world.publish()
    now = world.seen()
    changed = {name for name, time in now.modified().items() if time != first.modified()[name]}
    assert changed == {"repodata.json", "current_repodata.json", SHARDS}
    assert {now.modified()[name] for name in changed} == {later}


def test_the_shard_index_is_as_old_as_its_content(world: World) -> None:
    def created(world: World) -> Any:
        return world.seen().documents[SHARDS]["info"]["created_at"]

    world.upload(ALPHA)
    world.publish()
    first = created(world)
    assert first == "2023-11-14T22:13:20.000Z"
    after(world)
    world.mark_whole()
    world.publish()
    assert created(world) == first
    world.upload(BETA)
    world.publish()
    assert created(world) == "2023-11-14T22:13:30.000Z"


def test_relations_of_a_label_stand_in_every_document_that_has_them(world: World) -> None:
    world.upload(ALPHA)
    world.publish()
    before = world.seen()
    relations = {"base": "../conda-forge"}
    after(world)
    world.write(lambda c: labels.configure(c, CHANNEL, "main", world.actor, relations=relations))
    world.publish()
    now = world.seen()
    for name in ("repodata.json", "repodata_from_packages.json", "current_repodata.json", SHARDS):
        assert now.documents[name]["info"]["channel_relations"] == relations
        assert now.modified()[name] == world.clock.now_ms()
    assert now.documents[SHARDS]["shards"] == before.documents[SHARDS]["shards"]
    assert now.raw["run_exports.json"] == before.raw["run_exports.json"]
