"""The application: which routes there are, and what surrounds every request."""

from __future__ import annotations

import itertools
import logging
import secrets
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from channeld.cachepolicy import NO_STORE
from channeld.logs import in_request
from channeld.pages.policy import CONTENT_SECURITY_POLICY
from channeld.web import health, native, reading
from channeld.web.bodies import defer_continue
from channeld.web.dialects import anaconda, artifactory, prefix, webservices
from channeld.web.drain import DRAIN, Drain
from channeld.web.errors import make_middleware
from channeld.web.keys import REQUEST_ID, SERVICES, Services
from channeld.web.representation import BytesBody, Representation
from channeld.web.responder import respond
from channeld.web.summaries import front_page
from channeld.web.urls import HTML

log = logging.getLogger(__name__)

#: aiohttp's own limit of what ``request.read()`` and forms take in; uploads are streamed and have their own.
_READ_LIMIT: Final = 4 * 1024 * 1024

#: The ids of requests: of this process, and one after the other.
_PROCESS: Final = secrets.token_hex(5)
_NUMBERS: Final = itertools.count(1)


def make_app(services: Services) -> web.Application:
    """Wire a server's parts into an application. It owns none of them."""
    app = web.Application(middlewares=[_around, make_middleware()], client_max_size=_READ_LIMIT)
    app[SERVICES] = services
    app[DRAIN] = Drain()
    app.on_response_prepare.append(_prepare)
    app.router.add_get("/", _front)
    health.add_routes(app.router)
    native.add_routes(app.router)
    app.router.add_post("/api/v1/upload/{channel:.+}", prefix.post, expect_handler=defer_continue)
    anaconda.add_routes(app.router)
    webservices.add_routes(app.router)
    app.router.add_route(hdrs.METH_PUT, "/{path:.+}", artifactory.put, expect_handler=defer_continue)
    app.router.add_get("/{path:.+}", reading.read)
    return app


@web.middleware
async def _around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, count its answer, and log what changes something or fails."""
    services = request.app[SERVICES]
    started = services.clock.monotonic()
    request[REQUEST_ID] = request_id = _request_id(request)
    with in_request(request_id), request.app[DRAIN]:
        response = await handler(request)
        services.metrics.count_request(request.method, response.status)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) or response.status >= 500:
            log.info(
                "%s %s answered %d",
                request.method,
                request.rel_url.raw_path,
                response.status,
                extra={
                    "remote": services.origins.address(request),
                    "milliseconds": round((services.clock.monotonic() - started) * 1000, 1),
                },
            )
        return response


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    if 0 < len(given) <= 64 and given.isascii() and all(c.isalnum() or c in "-_." for c in given):
        return given
    return f"{_PROCESS}-{next(_NUMBERS):x}"


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    if request.app[DRAIN].stopping:
        response.force_close()
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    if headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    if hdrs.CACHE_CONTROL not in headers:
        headers[hdrs.CACHE_CONTROL] = NO_STORE
    headers[hdrs.SERVER] = "channeld"
    # set outside of the middlewares too, where aiohttp answers what it cannot parse
    headers["X-Request-Id"] = request.get(REQUEST_ID, "-")


async def _front(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    data, digest = await front_page(services)
    representation = Representation(
        etag=f'"{digest[:32]}"',
        last_modified=None,
        content_type=HTML,
        size=len(data),
        body=BytesBody(data),
        cache_control=services.cache.documents.public,
    )
    return await respond(request, representation)
