"""What handlers find on the application: one value with everything, made by ``server`` and by tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from channeld.cachepolicy import CacheTable
from channeld.clock import Clock
from channeld.instance import Instance
from channeld.web.auth import Auth
from channeld.web.metrics import Metrics
from channeld.web.origin import Origins
from channeld.web.pieces import Pieces
from channeld.web.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running server."""

    instance: Instance
    clock: Clock
    shelf: Shelf
    pieces: Pieces
    auth: Auth
    origins: Origins
    cache: CacheTable
    metrics: Metrics
    #: Tells the indexer of this process, if it has one, that something is dirty.
    wake: Callable[[], None]


SERVICES = web.AppKey("services", Services)
