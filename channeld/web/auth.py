"""Who asks, and may they: tokens in requests, and the two refusals.

A token comes as ``Authorization: Bearer <token>`` (or ``token <token>``, or Basic with the token as password), as
``X-API-Key``, or in the path as ``/t/<token>/``, where conda puts it. 401 says that no valid token came; 403 says in
words what the token lacks. Nothing here logs or repeats a token.

Public channels are read without looking at tokens at all, so that an old one in somebody's configuration harms nobody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

from aiohttp import hdrs, web
from sqlalchemy import Connection

from channeld.catalog import tokens
from channeld.catalog.audit import Actor
from channeld.catalog.channels import Channel
from channeld.catalog.grants import ALL, Verb, allows, may_allow, missing
from channeld.catalog.selection import StoredFile, label_names_of
from channeld.catalog.tokens import Token
from channeld.clock import Clock
from channeld.errors import Rejected
from channeld.web.origin import Origins
from channeld.web.shelf import Shelf
from channeld.web.urls import Resource

T = TypeVar("T")

#: Over how long wrong tokens of one address are counted.
WINDOW_SECONDS: Final = 60
_ADDRESSES: Final = 10_000

#: What each right is asked for, as the beginning of a sentence.
ACTIONS: Final = {
    Verb.READ: "Reading a private channel",
    Verb.UPLOAD: "An upload",
    Verb.LABEL: "Changing the labels of files",
    Verb.DELETE: "Deleting a file",
    Verb.CONFIGURE: "Changing a channel",
    Verb.ADMIN: "Administration",
}


@dataclass(eq=False)
class TokenRequired(Rejected):
    """The action needs a token, and none came."""

    action: str

    advice: ClassVar[str] = "Send one as `Authorization: Bearer <token>`, or in the URL as /t/<token>/…"

    def sentence(self) -> str:
        return f"{self.action} needs a token."


@dataclass(eq=False)
class TokenInvalid(Rejected):
    """A token came that is unknown, revoked or expired; which of these is not told."""

    advice: ClassVar[str] = "Ask the operator of the channel for a new one."

    def sentence(self) -> str:
        return "The token is not valid: it is unknown, has been revoked, or has expired."


@dataclass(eq=False)
class NotAllowed(Rejected):
    """The token is valid, and does not reach as far as this."""

    lacks: str

    advice: ClassVar[str] = "Use another token, or ask the operator of the channel to widen this one."

    def sentence(self) -> str:
        return self.lacks


@dataclass(eq=False)
class TooManyFailures(Rejected):
    """One address sent too many wrong tokens."""

    address: str

    advice: ClassVar[str] = "Wait a minute, and check the token."

    def sentence(self) -> str:
        return f"Too many requests with a wrong token came from {self.address}."


class Auth:
    """Checks the tokens of requests. For the event loop's thread."""

    def __init__(self, shelf: Shelf, origins: Origins, clock: Clock, failures_per_minute: int) -> None:
        self._shelf = shelf
        self._origins = origins
        self._clock = clock
        self._most = failures_per_minute
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def check_read(self, request: web.Request, channel: Channel, resource: Resource) -> Token:
        """Let a request read what a URL of a private channel names; return its token.

        Raises:
            TokenRequired, TokenInvalid, NotAllowed, TooManyFailures
        """
        token = await self.token(request, f"Reading the private channel {channel.name!r}", resource.token)
        if not may_allow(token.grants, Verb.READ, channel.name, resource.label):
            raise NotAllowed(missing(token.grants, Verb.READ, channel.name, resource.label))
        return token

    async def sees_file(self, token: Token, channel: Channel, file: StoredFile) -> bool:
        """Tell whether a token reaches a file of a private channel: one that carries a label which it may read.

        A file is downloaded below every label of its channel, so the label in the URL does not say enough.
        """
        if any(grant.labels == ALL and may_allow([grant], Verb.READ, channel.name) for grant in token.grants):
            return True
        carried = await self._shelf.remember(
            ("carried", file.id), lambda connection: label_names_of(connection, file.id)
        )
        return any(may_allow(token.grants, Verb.READ, channel.name, label) for label in carried)

    async def check(
        self,
        request: web.Request,
        verb: Verb,
        channel: str | None,
        labels: Iterable[str | None] = (None,),
        package: str | None = None,
    ) -> Actor:
        """Let a request do something, and say who does it. None means: on any.

        Raises:
            TokenRequired, TokenInvalid, NotAllowed, TooManyFailures
        """
        token = await self.token(request, ACTIONS[verb])
        self.require(token, verb, channel, labels, package)
        return self.actor(request, token)

    def require(
        self,
        token: Token,
        verb: Verb,
        channel: str | None,
        labels: Iterable[str | None] = (None,),
        package: str | None = None,
    ) -> None:
        """Make sure that a token reaches as far as an action on each of the labels; raises ``NotAllowed``."""
        for label in labels:
            if not allows(token.grants, verb, channel, label, package):
                raise NotAllowed(missing(token.grants, verb, channel, label, package))

    def actor(self, request: web.Request, token: Token) -> Actor:
        """Say who acts, from where, when and why."""
        return Actor(token.id, self._origins.address(request), self._clock.now_ms(), reason_of(request))

    async def token(self, request: web.Request, action: str, path_token: str | None = None) -> Token:
        """Return the valid token of a request.

        A valid one is taken whatever else came from the same address: behind it may be a whole company.

        Raises:
            TokenRequired, TokenInvalid, TooManyFailures
        """
        token, _ = await self.token_and(request, action, ("nothing",), lambda _: None, path_token)
        return token

    async def token_and(
        self,
        request: web.Request,
        action: str,
        key: tuple[Any, ...],
        read: Callable[[Connection], T],
        path_token: str | None = None,
    ) -> tuple[Token, T]:
        """Return the valid token of a request, and what ``read`` finds in the same look at the catalog.

        ``key`` stands for what ``read`` reads, as for ``Shelf.remember``. Raises what ``token`` raises.
        """
        text = path_token or _token_of(request)
        if text is None:
            raise TokenRequired(action)
        now = self._clock.now_ms()
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        token, found = await self._shelf.remember(
            ("token", digest, *key),
            lambda connection: (tokens.find_valid(connection, text, now), read(connection)),
        )
        if token is None or (token.expires_ms is not None and token.expires_ms <= now):
            self._note_failure(self._origins.address(request))
            raise TokenInvalid
        return token, found

    def _note_failure(self, address: str) -> None:
        """Count a wrong token; raises ``TooManyFailures`` where that was one too many."""
        now = self._clock.monotonic()
        since, count = self._failures.pop(address, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, count = now, 0
        self._failures[address] = since, count + 1
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)
        if self._most and count >= self._most:
            raise TooManyFailures(address)


def reason_of(request: web.Request) -> str:
    """Say why a request comes, as far as it tells."""
    # a header field may hold bytes that are no UTF-8, which no database takes
    return request.headers.get("X-Reason", "")[:500].encode("utf-8", "replace").decode()


def _token_of(request: web.Request) -> str | None:
    """Find the token in the header fields of a request."""
    value = request.headers.get(hdrs.AUTHORIZATION)
    if value is None:
        return request.headers.get("X-API-Key") or None
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() in ("bearer", "token"):
        return rest or None
    if scheme.lower() == "basic":
        try:
            user, _, password = (
                base64.b64decode(rest, validate=True).decode("utf-8", "replace").partition(":")
            )
        except (binascii.Error, ValueError):
            return rest or None
        return password or user or None
    return rest or value
