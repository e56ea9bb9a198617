"""Opening and closing the parts of a running server, in the right order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from channeld.blobs.durable import Disk
from channeld.cachepolicy import CacheTable
from channeld.catalog import changewatch, sealing
from channeld.catalog.deliveries import Backlog
from channeld.catalog.sealer import Sealer
from channeld.clock import Clock
from channeld.indexing.service import IndexerService
from channeld.instance import Instance, open_instance
from channeld.intake.sweeping import Sweeper
from channeld.promotion.expiry import Expiry
from channeld.promotion.tokenchecks import TokenChecks, TokenLimits
from channeld.settings import Settings
from channeld.web.auth import Auth
from channeld.web.housekeeping import Chore, Housekeeping
from channeld.web.keys import Services
from channeld.web.metrics import Metrics, make_metrics
from channeld.web.origin import Origins
from channeld.web.pieces import Pieces
from channeld.web.repair import Repairs
from channeld.web.shelf import Shelf
from channeld.webhooks.dispatcher import Dispatcher, Listeners
from channeld.webhooks.sweeping import Sweeper as DeliverySweeper

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
    instance = open_instance(
        settings, clock, disk=disk, on_publication=metrics.count_publication, on_copy=metrics.count_copy
    )
    try:
        indexer = _indexer(instance) if indexing else None
        services = make_services(instance, metrics, indexer.wake if indexer else _nobody)
        if indexer is not None:
            services = replace(services, trouble=lambda: indexer.trouble)
        try:
            if indexer is None:
                yield services
            else:
                async with _working(instance, indexer, metrics):
                    yield services
        finally:
            services.token_checks.close()
            services.pieces.close()
            services.shelf.close()
    finally:
        instance.close()


@asynccontextmanager
async def _working(instance: Instance, indexer: IndexerService, metrics: Metrics) -> AsyncIterator[None]:
    """Index and keep house: what one process of a server does for all."""
    house = Housekeeping(chores_of(instance))
    sealer = Sealer(instance.database, instance.clock, on_round=metrics.show_sealing)
    # on a thread of its own: sweeping may take long
    sealing_house = Housekeeping([sealing_of(sealer, instance.settings)])
    watch = asyncio.create_task(_watch_trouble(indexer, metrics), name="indexer's trouble")
    webhooks = _dispatcher(instance, metrics)
    indexer.start()
    webhooks.start()
    house.start()
    sealing_house.start()
    try:
        yield
    finally:
        watch.cancel()
        await webhooks.stop()
        await house.stop()
        await sealing_house.stop()
        await asyncio.to_thread(sealer.close)
        await indexer.stop()


def chores_of(instance: Instance) -> list[Chore]:
    """List what a server has to do every so often."""
    sweeper = Sweeper(
        instance.database,
        instance.blobs,
        instance.clock,
        keep_artifacts_seconds=instance.settings.index.keep_generations_seconds,
    )
    expiry = Expiry(
        instance.database,
        instance.clock,
        keep_seconds=instance.settings.promotion.keep_candidates_seconds,
    )
    forgetting = DeliverySweeper(
        instance.database,
        instance.clock,
        keep_seconds=instance.settings.webhooks.keep_deliveries_seconds,
    )
    keep_copies_seconds = instance.settings.promotion.keep_copies_seconds
    return [
        Chore("The sweep of the artifacts", sweeper.sweep),
        Chore("The removal of expired candidates", expiry.run, every=60.0, first=5.0),
        Chore("The copies that were broken off", instance.copies.take_up, every=15.0, first=0.2),
        Chore("The sweep of finished copies", partial(instance.copies.sweep, keep_copies_seconds)),
        Chore("The sweep of the deliveries to webhooks", forgetting.sweep),
    ]


def _dispatcher(instance: Instance, metrics: Metrics) -> Dispatcher:
    def show(backlog: Backlog) -> None:
        metrics.show_webhook_backlog(backlog, instance.clock.now_ms())

    return Dispatcher(
        instance.database,
        instance.clock,
        instance.settings.webhooks,
        sealed_until=sealing.sealed_until,
        chance=random.random,
        listeners=Listeners(metrics.count_webhook_attempt, show),
    )


def sealing_of(sealer: Sealer, settings: Settings) -> Chore:
    """Say how often the audit is sealed."""
    return Chore("The sealing of the audit", sealer.round, every=settings.audit.seal_seconds, first=0.0)


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
    instance.assembly.on_damage = instance.publisher.on_damage = metrics.damage.inc
    origins = Origins.of(settings)
    return Services(
        instance=instance,
        clock=instance.clock,
        shelf=shelf,
        pieces=Pieces(instance.packs, instance.tables, instance.assembly, instance.blobs),
        auth=Auth(shelf, origins, instance.clock, settings.limits.token_failures_per_minute),
        token_checks=TokenChecks(instance.clock, TokenLimits.of(settings)),
        origins=origins,
        cache=CacheTable.of(settings.cache),
        metrics=metrics,
        repairs=Repairs(instance.database, instance.clock, metrics.damage, wake),
        wake=wake,
        started_ms=instance.clock.now_ms(),
    )


def _nobody() -> None:
    """Another process indexes; it finds the work in the catalog."""
