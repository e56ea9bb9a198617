"""Rule: when a candidate's row is gone, every document is as if it had never been there."""

from __future__ import annotations

from typing import Any

import pytest

from channeld.catalog import files
from tests.support.candidates import STAGING, promote
from tests.support.indexing import SHARDS, World, package

FIRST, SECOND = package("alpha", content="first"), package("alpha", content="second")
BETA = package("beta", subdir="noarch")


@pytest.fixture(autouse=True)
def staging(world: World) -> None:
    world.make_channel(STAGING, kind="staging")


def documents(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """Read what is published, but for the time at which an index was made, and views that are empty."""
    found = {key: one for key, one in world.everything().items() if key[1] == "" or one[SHARDS]["shards"]}
    for one in found.values():
        one.get(SHARDS, {"info": {}})["info"].pop("created_at", None)
    return found


def test_they_go_as_they_came(world: World) -> None:
    seen = []
    for one in (FIRST, SECOND, BETA):
        world.upload(one, channel=STAGING)
        world.publish()
        seen.append(documents(world))
    for one in (BETA, SECOND):
        seen.pop()
        world.write(lambda c, one=one: promote(c, one))  # type: ignore[misc]
        world.publish()
        assert documents(world) == seen[-1]
        world.check()
    world.write(lambda c: promote(c, FIRST))
    world.publish()
    (level,) = documents(world).values()
    assert (level["channeldata.json"]["packages"], level["channeldata.json"]["subdirs"]) == ({}, [])
    world.check()


def test_what_a_label_has_had_goes_with_the_last_hidden_candidate(world: World) -> None:
    """The channel-level documents name the subdirs in which there is something, or was."""

    def subdirs() -> Any:
        world.publish()
        world.check()
        return world.seen("", channel=STAGING).documents["channeldata.json"]["subdirs"]

    for one in (FIRST, BETA):
        world.upload(one, channel=STAGING)
    place = (BETA.subdir, BETA.filename)
    world.write(lambda c: files.delete(c, STAGING, *place, world.actor))
    assert subdirs() == ["linux-64", "noarch"]
    world.write(lambda c: promote(c, BETA))
    assert subdirs() == ["linux-64"]
