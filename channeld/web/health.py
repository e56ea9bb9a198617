"""Probes and metrics: ``/health/live``, ``/health/ready``, ``/metrics``."""

from __future__ import annotations

from aiohttp import hdrs, web
from sqlalchemy import Connection, text

from channeld.errors import Unavailable
from channeld.web.keys import SERVICES


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the routes."""
    router.add_get("/health/live", live)
    router.add_get("/health/ready", ready)
    router.add_get("/metrics", metrics)


async def live(_request: web.Request) -> web.Response:
    """Answer as long as the event loop turns: restart the process when this does not answer."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Tell whether requests can be served now: the catalog answers, and the disk has room."""
    services = request.app[SERVICES]
    problems = []
    try:
        await services.instance.database.read(_probe)
        services.instance.blobs.check_room()
    except Unavailable as error:
        problems.append(str(error.for_clients()))
    status = 503 if problems else 200
    headers = {hdrs.RETRY_AFTER: "5"} if problems else {}
    answer = {"status": "unavailable" if problems else "ok", "problems": problems}
    return web.json_response(answer, status=status, headers=headers)


def _probe(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


async def metrics(request: web.Request) -> web.Response:
    """Write the metrics of this process in Prometheus' text format."""
    body = request.app[SERVICES].metrics.text()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"})
