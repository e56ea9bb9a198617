"""What handlers find on the application: one value with everything, made by ``server`` and by tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from channeld.cachepolicy import CacheTable
from channeld.clock import Clock
from channeld.instance import Instance
from channeld.promotion.tokenchecks import TokenChecks
from channeld.web.auth import Auth
from channeld.web.metrics import Metrics
from channeld.web.origin import Origins
from channeld.web.pieces import Pieces
from channeld.web.repair import Repairs
from channeld.web.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running server."""

    instance: Instance
    clock: Clock
    shelf: Shelf
    pieces: Pieces
    auth: Auth
    token_checks: TokenChecks
    origins: Origins
    cache: CacheTable
    metrics: Metrics
    repairs: Repairs
    #: Tells the indexer of this process, if it has one, that something is dirty.
    wake: Callable[[], None]
    #: When this process began to serve, ms.
    started_ms: int = 0
    #: What keeps the indexer of this process from publishing; "" for nothing. The catalog may have no room for it.
    trouble: Callable[[], str] = lambda: ""


SERVICES = web.AppKey("services", Services)

#: Set on a request whose answer, an error too, is for its sender alone: no shared cache may keep it.
ONLY_FOR_SENDER = web.RequestKey("only_for_sender", bool)

#: What the log calls a request by.
REQUEST_ID = web.RequestKey("request_id", str)
