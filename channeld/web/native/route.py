"""Routes as data: what the router, the OpenAPI document and the page about the API are made from.

A route's handler is an async function whose parameters say what it takes::

    async def create(call: Call, channel: str, query: Options, body: NewLabel) -> Reply

``call`` always; ``query`` and ``body`` where it has them, of a class that ``channeld.web.shapes`` reads; every other
parameter is a text from the path.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeVar, get_type_hints

import orjson
from aiohttp import hdrs, web
from sqlalchemy import Connection

from channeld.catalog.audit import Actor
from channeld.catalog.grants import Verb
from channeld.catalog.tokens import Token
from channeld.errors import ChanneldError
from channeld.web.keys import Services
from channeld.web.urls import Kind, Resource

T = TypeVar("T")

PREFIX: Final = "/api/v1"

_PLACE: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Written:
    """A body that has been written already."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: an instance of a declared class, which becomes JSON, a body as it is, or None."""

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        """Write it for aiohttp."""
        if self.value is None:
            return web.Response(status=self.status, headers=self.headers)
        written = self.value if isinstance(self.value, Written) else written_json(self.value)
        fields = {hdrs.CONTENT_TYPE: written.content_type, **self.headers}
        return web.Response(status=self.status, body=written.data, headers=fields)


def written_json(value: Any) -> Written:
    """Write a value as JSON that people can read as well."""
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Written(data, "application/json")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler."""

    request: web.Request
    services: Services
    #: The valid token that came with it; None where the route asks for none.
    holder: Token | None = None

    @property
    def token(self) -> Token:
        """The valid token of a route that asks for one."""
        assert self.holder is not None, "the route asks for no token"
        return self.holder

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit."""
        return self.services.auth.actor(self.request, self.token)

    @property
    def now_ms(self) -> int:
        return self.services.clock.now_ms()

    async def optional_token(self) -> Token | None:
        """Return the token that came, if one did; raises ``TokenInvalid`` for one that is not valid."""
        if hdrs.AUTHORIZATION in self.request.headers or "X-API-Key" in self.request.headers:
            return await self.services.auth.token(self.request, "This")
        return None

    def file_url(self, channel: str, label: str, subdir: str, filename: str) -> str:
        """Say where a file is downloaded."""
        resource = Resource(Kind.ARTIFACT, None, channel, None, label, subdir, filename)
        return self.services.origins.public_url(self.request) + resource.path

    def require(self, verb: Verb, channel: str | None, label: str | None = None) -> None:
        """Make sure that the token reaches as far as an action; raises ``NotAllowed``."""
        self.services.auth.require(self.token, verb, channel, (label,))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Ask the catalog itself, not the shelf: what this client has just written must be seen."""
        return await self.services.instance.database.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Change the catalog in one transaction, and have the indexer look."""
        value = await self.services.instance.database.write(work)
        self.services.wake()
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a route answers when all is well.

    ``kind`` is a declared class, the media type of a body of another sort, or None for no body.
    """

    status: int
    text: str
    kind: type[Any] | str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """A header field of the request that means something to a route."""

    name: str
    text: str


REASON: Final = Header("X-Reason", "Why; kept in the audit. At most 500 characters.")

#: In place of a right: the handler takes the token of a feedstock, and without one asks for a token of this server.
FEEDSTOCK: Final = "feedstock"

Handler = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True)
class Route:
    """One method of one path below ``PREFIX``."""

    method: str
    path: str
    summary: str
    handler: Handler
    answers: tuple[Answer, ...]
    #: The right that its token needs, "" for any valid one, ``FEEDSTOCK`` where its handler sees to that; None where
    #: everybody may ask, if only about what everybody may read.
    right: Verb | Literal["", "feedstock"] | None = None
    #: More about it, for the documentation.
    text: str = ""
    #: What it refuses, beyond what follows from its path, its body and its right.
    refusals: tuple[type[ChanneldError], ...] = ()
    headers: tuple[Header, ...] = ()
    #: The media type of a body that is not JSON, which the handler reads itself.
    raw_body: str = ""

    @cached_property
    def places(self) -> tuple[str, ...]:
        """The names of the parts of the path that vary."""
        return tuple(_PLACE.findall(self.path))

    @cached_property
    def query(self) -> type[Any] | None:
        """The class of its query parameters."""
        return get_type_hints(self.handler).get("query")

    @cached_property
    def body(self) -> type[Any] | None:
        """The class of its JSON body."""
        return get_type_hints(self.handler).get("body")

    @property
    def noun(self) -> str:
        """What it is about: the module that has it."""
        return self.handler.__module__.rpartition(".")[2]
