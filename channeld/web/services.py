"""Opening and closing the parts of a running server, in the right order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from channeld.cachepolicy import CacheTable
from channeld.catalog import changewatch
from channeld.clock import Clock
from channeld.indexing.service import IndexerService
from channeld.instance import Instance, open_instance
from channeld.settings import Settings
from channeld.web.auth import Auth
from channeld.web.keys import Services
from channeld.web.metrics import Metrics, make_metrics
from channeld.web.origin import Origins
from channeld.web.pieces import Pieces
from channeld.web.shelf import Shelf


@asynccontextmanager
async def running_services(
    settings: Settings, clock: Clock, *, indexing: bool = True, metrics: Metrics | None = None
) -> AsyncIterator[Services]:
    """Open an instance and everything that serves it; with ``indexing`` the indexer runs beside the requests."""
    metrics = metrics or make_metrics()
    instance = open_instance(settings, clock, on_publication=metrics.count_publication)
    try:
        indexer = IndexerService(instance.publisher) if indexing else None
        services = make_services(instance, metrics, indexer.wake if indexer else _nobody)
        try:
            if indexer is not None:
                indexer.start()
            yield services
        finally:
            if indexer is not None:
                await indexer.stop()
            services.pieces.close()
            services.shelf.close()
    finally:
        instance.close()


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
        wake=wake,
    )


def _nobody() -> None:
    """Another process indexes; it finds the work in the catalog."""
