"""From routes as data to aiohttp's router: authorise, read what came, call the handler, write its answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from multidict import MultiDict

from channeld.cachepolicy import NO_STORE
from channeld.errors import ChanneldError
from channeld.web.bodies import check_announced, defer_continue, read_body, send_continue
from channeld.web.errors import problem, speaks
from channeld.web.keys import SERVICES
from channeld.web.native.route import FEEDSTOCK, PREFIX, Call, Route
from channeld.web.rejections import BodyNotJson, NothingHere
from channeld.web.shapes import read, read_query

#: Bytes that a JSON body may have.
BODY_LIMIT: Final = 1024 * 1024
_STALL_SECONDS: Final = 20.0

#: How parts of paths match. Labels may contain slashes, which may come as they are or as %2F.
_PATTERNS: Final = {"label": ".+"}


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The parameters of a route that takes none."""


def add(router: web.UrlDispatcher, routes: Iterable[Route]) -> None:
    """Add routes to a router. Each path answers 405 to every other method."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    for path, ways in by_path.items():
        resource = router.add_resource(PREFIX + _pattern(path, ways[0]))
        for route in ways:
            handler = _handler(route)
            resource.add_route(route.method, handler, expect_handler=defer_continue)
            if route.method == hdrs.METH_GET:
                resource.add_route(hdrs.METH_HEAD, handler)
        resource.add_route(hdrs.METH_ANY, _refuser([route.method for route in ways]))
    router.add_route(hdrs.METH_ANY, f"{PREFIX}/{{rest:.+}}", _nothing, expect_handler=defer_continue)


def _pattern(path: str, route: Route) -> str:
    for place in route.places:
        if place in _PATTERNS:
            path = path.replace(f"{{{place}}}", f"{{{place}:{_PATTERNS[place]}}}")
    return path


def without_store(error: ChanneldError, status: int) -> web.Response:
    """Render an error; unlike one about a channel's documents it must not be kept, not even a 404."""
    response = problem(error, status)
    response.headers[hdrs.CACHE_CONTROL] = NO_STORE
    return response


def _refuser(methods: list[str]) -> Any:
    @speaks(without_store)
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, methods)

    return refuse


@speaks(without_store)
async def _nothing(request: web.Request) -> web.StreamResponse:
    raise NothingHere(request.rel_url.raw_path)


def _handler(route: Route) -> Any:
    @speaks(without_store)
    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        holder = None
        if route.right is not None and route.right != FEEDSTOCK:
            holder = await services.auth.token(request, f"{request.method} {request.rel_url.raw_path}")
        arguments: dict[str, Any] = {**request.match_info}
        if any("\0" in text for text in arguments.values()):
            raise NothingHere(request.rel_url.raw_path)
        query = MultiDict(request.query)
        if route.query is not None:
            arguments["query"] = read_query(route.query, query)
        elif query:
            read_query(_Nothing, query)
        if route.body is not None:
            arguments["body"] = read(route.body, await json_of(request))
        reply = await route.handler(Call(request, services, holder), **arguments)
        return reply.response()

    return handle


async def json_of(request: web.Request) -> dict[str, Any]:
    """Read the JSON object that is the body of a request; raises ``BadBody``."""
    check_announced(request, BODY_LIMIT)
    await send_continue(request)
    data = b"".join([chunk async for chunk in read_body(request, BODY_LIMIT, _STALL_SECONDS)])
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BodyNotJson(str(error) if data else "it is empty") from None
    if not isinstance(value, dict):
        raise BodyNotJson("it is JSON of another kind")
    return value
