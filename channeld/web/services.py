"""Opening and closing the parts of a running server, in the right order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from channeld.blobs.durable import Disk
from channeld.cachepolicy import CacheTable
from channeld.catalog import changewatch
from channeld.clock import Clock
from channeld.indexing.service import IndexerService
from channeld.instance import Instance, open_instance
from channeld.intake.sweeping import Sweeper
from channeld.settings import Settings
from channeld.web.auth import Auth
from channeld.web.housekeeping import Chore, Housekeeping
from channeld.web.keys import Services
from channeld.web.metrics import Metrics, make_metrics
from channeld.web.origin import Origins
from channeld.web.pieces import Pieces
from channeld.web.repair import Repairs
from channeld.web.shelf import Shelf

#: How often the metric of the indexer's trouble is brought up to date.
_TROUBLE_SECONDS: Final = 1.0


@asynccontextmanager
async def running_services(
    settings: Settings,
    clock: Clock,
    *,
    indexing: bool = True,
    metrics: Metrics | None = None,
    disk: Disk | None = None,
) -> AsyncIterator[Services]:
    """Open an instance and everything that serves it; with ``indexing`` the indexer and chores run beside requests."""
    metrics = metrics or make_metrics()
    instance = open_instance(settings, clock, disk=disk, on_publication=metrics.count_publication)
    try:
        indexer = _indexer(instance) if indexing else None
        services = make_services(instance, metrics, indexer.wake if indexer else _nobody)
        try:
            if indexer is None:
                yield services
            else:
                async with _working(instance, indexer, metrics):
                    yield services
        finally:
            services.pieces.close()
            services.shelf.close()
    finally:
        instance.close()


@asynccontextmanager
async def _working(instance: Instance, indexer: IndexerService, metrics: Metrics) -> AsyncIterator[None]:
    """Index and keep house: what one process of a server does for all."""
    house = Housekeeping(chores_of(instance))
    watch = asyncio.create_task(_watch_trouble(indexer, metrics), name="indexer's trouble")
    indexer.start()
    house.start()
    try:
        yield
    finally:
        watch.cancel()
        await house.stop()
        await indexer.stop()


def chores_of(instance: Instance) -> list[Chore]:
    """List what a server has to do every so often."""
    sweeper = Sweeper(
        instance.database,
        instance.blobs,
        instance.clock,
        keep_artifacts_seconds=instance.settings.index.keep_generations_seconds,
    )
    return [Chore("The sweep of the artifacts", sweeper.sweep)]


async def _watch_trouble(indexer: IndexerService, metrics: Metrics) -> None:
    while True:
        metrics.trouble.set(1 if indexer.trouble else 0)
        await asyncio.sleep(_TROUBLE_SECONDS)


def _indexer(instance: Instance) -> IndexerService:
    return IndexerService(instance.publisher, sweeper=instance.sweeper, refresher=instance.refresher)


def make_services(instance: Instance, metrics: Metrics, wake: Callable[[], None]) -> Services:
    """Make the parts that requests work with."""
    settings = instance.settings
    shelf = Shelf(instance.database, changewatch.watch(instance.database))
    origins = Origins.of(settings)
    return Services(
        instance=instance,
        clock=instance.clock,
        shelf=shelf,
        pieces=Pieces(instance.packs, instance.tables, instance.assembly, instance.blobs),
        auth=Auth(shelf, origins, instance.clock, settings.limits.token_failures_per_minute),
        origins=origins,
        cache=CacheTable.of(settings.cache),
        metrics=metrics,
        repairs=Repairs(instance.database, instance.clock, metrics.damage, wake),
        wake=wake,
        started_ms=instance.clock.now_ms(),
    )


def _nobody() -> None:
    """Another process indexes; it finds the work in the catalog."""
