"""An instance in a folder of its own, for tests that work below HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from channeld.catalog import channels, labels, views
from channeld.catalog.audit import Actor
from channeld.catalog.channels import ChannelSettings
from channeld.clock import Clock
from channeld.indexing import generation
from channeld.indexing.generation import Paged
from channeld.instance import Instance, open_instance
from channeld.settings import Settings
from tests.support.clock import ManualClock
from tests.support.folders import NOW, decompressed
from tests.support.templates import lay_out_catalog


def settings_in(folder: Path) -> Settings:
    """Return settings with the data in a folder, and no reserve of free space."""
    settings = Settings()
    return replace(settings, storage=replace(settings.storage, data_dir=folder / "data", reserve_bytes=0))


@contextmanager
def opened(folder: Path, clock: Clock | None = None) -> Iterator[Instance]:
    """Open an instance, and close it in the end."""
    settings = settings_in(folder)
    lay_out_catalog(settings)
    instance = open_instance(settings, clock or ManualClock(NOW))
    try:
        yield instance
    finally:
        instance.close()


def make_channel(instance: Instance, name: str, **settings: Any) -> None:
    """Create a channel."""
    actor = Actor("test", "local", instance.clock.now_ms())
    instance.database.write_now(
        lambda connection: channels.create(connection, name, ChannelSettings(**settings), actor)
    )


def published_repodata(instance: Instance, channel: str, subdir: str, label: str = "main") -> dict[str, Any]:
    """Return the repodata.json that is published of a view."""
    with instance.database.snapshot() as connection:
        found = labels.get(connection, channels.get(connection, channel), label)
        current = views.current(connection, found.id, subdir)
    assert current is not None
    document = generation.decode(current.documents)["repodata.json"]
    assert isinstance(document, Paged)
    repodata: dict[str, Any] = orjson.loads(decompressed(instance.assembly.ensure(document)))
    return repodata
