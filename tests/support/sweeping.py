"""What the tests of sweeping ask of a world: a change of it, and all that can be read in it."""

from __future__ import annotations

import sqlalchemy as sa

from channeld.catalog import tables as t
from channeld.catalog import viewlist
from channeld.indexing import generation
from channeld.indexing.generation import Paged
from tests.support.indexing import World, forget, package


def change(world: World, version: int, *, seconds: float = 60) -> None:
    world.clock.advance(seconds=seconds)
    world.upload(package("package07", f"2.{version}"))
    world.publish()


def generations(world: World) -> dict[int, dict[str, generation.Document]]:
    """Return every kept generation of the view."""
    channel_id = world.key().channel_id
    found = world.database.read_now(
        lambda c: viewlist.generations(c, channel_id=channel_id, after=(0, 0), limit=1000)
    )
    view_id = world.generation().view_id  # type: ignore[union-attr]
    return {one.number: generation.decode(one.documents) for one in found if one.view_id == view_id}


def read_all(world: World) -> dict[int, list[bytes]]:
    """Read every document of every kept generation, from the packs alone."""
    forget(world)
    for path in world.assembly.folder.glob("*.zst"):
        path.unlink()
    return {
        number: [
            world.text(one) if isinstance(one, Paged) else world.packs.read(one.place)
            for one in documents.values()
        ]
        for number, documents in generations(world).items()
    }


def shard_rows(world: World) -> int:
    return int(
        world.database.read_now(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(t.shards)).scalar_one()
        )
    )
