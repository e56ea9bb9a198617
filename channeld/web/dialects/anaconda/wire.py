"""How anaconda.org's API is spoken: ``Authorization: token X``, JSON, errors as ``{"error": "<sentence>"}``.

anaconda-client, rattler-build and the programs of conda-forge send it. Each takes one status for success (the table is
in the modules with the routes), shows ``error`` to its user, and reads 404 as "go on and create it" and 409 as "it is
there already". Answers are about this moment and never kept by caches, a 404 least of all: an upload begins with one.

Who is called ``owner`` there is a channel here, and ``channels`` are labels. A file is addressed as
``<owner>/<package>/<version>/<subdir>/<filename>``, the last slash raw or as ``%2F``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web

from channeld.cachepolicy import NO_STORE
from channeld.errors import ChanneldError
from channeld.formats.names import FileName, Naming
from channeld.web.bodies import defer_continue
from channeld.web.errors import Render, speaks
from channeld.web.keys import SERVICES
from channeld.web.native.route import Call
from channeld.web.native.wiring import json_of
from channeld.web.rejections import BadRequest, NothingHere

#: A handler takes the call, and by their names the parts of the path that vary.
Handler = Callable[..., Awaitable[web.StreamResponse]]

#: The place of a file at the end of a path.
FILE: Final = "{owner}/{package}/{version}/{basename:.+}"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    #: What it does, as the beginning of a sentence, where a token is needed for it.
    action: str = ""
    #: How its errors are written; None for ``as_error``.
    render: Render | None = None


def as_error(error: ChanneldError, status: int) -> web.Response:
    """Render an error as anaconda-client shows it."""
    headers = {hdrs.CACHE_CONTROL: NO_STORE}
    return web.json_response({"error": str(error)}, status=status, headers=headers)


def add(router: web.UrlDispatcher, routes: Iterable[Route]) -> None:
    """Add routes to a router."""
    for route in routes:
        handler = _handled(route)
        router.add_route(route.method, route.path, handler, expect_handler=defer_continue)
        if route.method == hdrs.METH_GET:
            router.add_route(hdrs.METH_HEAD, route.path, handler)


def _handled(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    @speaks(route.render or as_error)
    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        holder = await services.auth.token(request, route.action) if route.action else None
        places = dict(request.match_info)
        if any("\0" in text for text in places.values()):
            raise NothingHere(request.rel_url.raw_path)
        return await route.handler(Call(request, services, holder), **places)

    return handle


@dataclass(frozen=True, slots=True)
class Basename:
    """A file as the clients name it: ``<subdir>/<filename>``; some leave the subdir out, which is "" then."""

    subdir: str
    filename: str

    @classmethod
    def split(cls, text: str) -> Basename:
        """Divide a basename."""
        subdir, _, filename = text.rpartition("/")
        return cls(subdir, filename)

    def belongs_to(self, package: str, version: str) -> bool:
        """Tell whether it is a file of a release; it need not exist. Raises ``BadName``."""
        name = FileName.parse(self.filename, Naming.LEGACY)
        return (name.name, name.version) == (package, version)


async def texts(call: Call, *fields: str) -> list[str]:
    """Read texts from the JSON body, "" for those that are null or absent. What else the body has is ignored.

    Raises:
        BadBody: it is not a JSON object.
        BadRequest: one of them is something else.
    """
    body = await json_of(call.request)
    values = [body.get(field) or "" for field in fields]
    for field, value in zip(fields, values, strict=True):
        check_text(field, value)
    return values


def check_text(field: str, value: Any) -> str:
    """Return a text that a database takes; raises ``BadRequest``."""
    if not isinstance(value, str) or "\0" in value or len(value) > 1024:
        raise BadRequest(f"{field!r} is not a text of at most 1024 characters")
    return value
