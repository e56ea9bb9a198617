"""What the native API and conda-forge's dialect have in common about copies: who asks, and waiting for the end.

A copy is asked for by a feedstock, with one of its tokens, or by hand, with a token of this server. It is answered once
it has come to its end and its files are in the published indexes, so that whoever looks next sees them; or at once,
where the client prefers that (RFC 7240, ``respond-async``).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks
from channeld.catalog.channels import Channel
from channeld.catalog.copies import Copy
from channeld.catalog.feedstocks import Feedstock, KeptToken
from channeld.errors import Rejected
from channeld.formats.rejections import shown
from channeld.promotion.accepting import Ticket
from channeld.promotion.asking import Asked, Asker
from channeld.promotion.outcomes import State
from channeld.promotion.outputs import bare
from channeld.web.auth import reason_of
from channeld.web.keys import Services
from channeld.web.rejections import BadRequest
from channeld.web.uploads import wait_until_live

#: Outputs of one request. The transaction that copies them takes about 2 ms for each.
MOST_OUTPUTS: Final = 500
#: Characters of what names an output. No file has so long a name, and what is wrong is repeated and kept for ever.
_LONGEST_OUTPUT: Final = 400
#: How long an answer waits for what was copied to be in the published indexes, unless its client says otherwise.
PUBLICATION_SECONDS: Final = 20.0

_ASYNC: Final = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
_BEARER: Final = re.compile(r"bearer\s+(\S+)\s*", re.IGNORECASE)
_ID_BYTES: Final = 16


@dataclass(eq=False)
class NothingPromotes(Rejected):
    """No staging channel has a channel as the one that its candidates are promoted into."""

    channel: str

    advice: ClassVar[str] = "Name the channel to copy from, or set `promotes_to` of a staging channel."

    def sentence(self) -> str:
        return f"No channel promotes to {self.channel!r}."


@dataclass(eq=False)
class SeveralPairs(Rejected):
    """It is not said which channel is promoted into, and there is not exactly one.

    Only public channels are named: whoever asks has shown no token yet.
    """

    count: int
    channels: tuple[str, ...]

    advice: ClassVar[str] = (
        "Post to /<channel>/feedstock-outputs/copy, with the channel that is promoted into."
    )

    def sentence(self) -> str:
        if not self.count:
            return "No channel of this server is promoted into."
        named = f", among them {', '.join(self.channels)}" if self.channels else ""
        return f"Several channels of this server are promoted into{named}."


@dataclass(eq=False)
class FeedstockTokenInvalid(Rejected):
    """A request in the name of a feedstock came without one of its tokens, or there is no such feedstock."""

    feedstock: str

    advice: ClassVar[str] = (
        "Send the feedstock's own token, for this CI service, or ask the operator of the channel for a new one."
    )

    def __post_init__(self) -> None:
        self.feedstock = shown(self.feedstock)

    def sentence(self) -> str:
        return f"No valid token of the feedstock {self.feedstock!r} came with the request."


@dataclass(eq=False)
class CopyRefused(Rejected):
    """Nothing of a request was copied. What became of each output, the copy itself tells."""

    copy: str
    errors: tuple[str, ...]

    advice: ClassVar[str] = "Look the copy up by its id for what became of each output."

    def sentence(self) -> str:
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return f"Nothing was copied: {self.errors[0]}{more}."


@dataclass(eq=False)
class CopyMissing(Rejected):
    """There is no such copy, or no longer."""

    channel: str
    copy: str

    advice: ClassVar[str] = "Check the id. What became of old copies is in the audit of the channel."

    def __post_init__(self) -> None:
        self.copy = shown(self.copy)

    def sentence(self) -> str:
        return f"The channel {self.channel!r} has no copy {self.copy!r}."


@dataclass(frozen=True, slots=True)
class Pair:
    """A channel that is promoted into, and the one that promotes to it."""

    production: Channel
    staging: Channel


async def pair_into(services: Services, production: str) -> Pair:
    """Find the channel that promotes to a channel; raises ``ChannelMissing`` and ``NothingPromotes``."""
    return await services.instance.database.read(
        lambda connection: _pair(
            channels.get(connection, production), channels.staging_of(connection, production)
        )
    )


def _pair(production: Channel, staging: Channel | None) -> Pair:
    if staging is None:
        raise NothingPromotes(production.name)
    return Pair(production, staging)


def feedstock_token_of(request: web.Request) -> str:
    """Return the token of a feedstock that came with a request; "" for none.

    conda-forge's programs send it as ``FEEDSTOCK_TOKEN``, which nginx drops unless it is told otherwise.
    """
    for field in ("FEEDSTOCK_TOKEN", "Feedstock-Token"):
        if request.headers.get(field):
            return request.headers[field]
    found = _BEARER.fullmatch(request.headers.get(hdrs.AUTHORIZATION, ""))
    return found[1] if found is not None else ""


@dataclass(frozen=True, slots=True)
class Vouched:
    """A feedstock as it is registered, None for an unknown one, and who asks in its name."""

    feedstock: Feedstock | None
    asker: Asker

    @property
    def proven(self) -> bool:
        """Whether the token was one of the feedstock's."""
        return self.asker.feedstock_token is not None


async def vouch(
    request: web.Request, services: Services, production: Channel, repository: str, provider: str | None
) -> Vouched:
    """Check the token that came with a request against those of a feedstock; as slowly for one that is not there.

    Raises:
        TooManyTokenChecks: too many came for it lately, or from the same address.
    """
    name = bare(repository)
    feedstock, kept = await services.instance.database.read(
        lambda connection: _tokens(connection, production, name)
    )
    address = services.origins.address(request)
    row = await services.token_checks.check(
        kept, feedstock_token_of(request), provider, feedstock=name, address=address
    )
    actor = f"feedstock:{name}" if row is not None else "unknown"
    return Vouched(feedstock, Asker(actor, address, reason_of(request), row))


def _tokens(
    connection: Connection, production: Channel, name: str
) -> tuple[Feedstock | None, tuple[KeptToken, ...] | None]:
    feedstock = feedstocks.find(connection, production.id, name)
    return feedstock, feedstocks.tokens_of(connection, feedstock.id) if feedstock is not None else None


def prefers_async(request: web.Request) -> bool:
    """Tell whether a client would rather look the outcome up than wait for it."""
    return _ASYNC.search(",".join(request.headers.getall("Prefer", ()))) is not None


def request_key(request: web.Request, who: str) -> str | None:
    """Return a client's name for its request, made different from the names that others give to theirs."""
    key = request.headers.get("Idempotency-Key")
    return hashlib.sha256(f"{who}\n{key}".encode("utf-8", "surrogateescape")).hexdigest() if key else None


def check_outputs(keys: Collection[str]) -> None:
    """Refuse what nobody asks for in earnest before any of it is kept; raises ``BadRequest``."""
    if len(keys) > MOST_OUTPUTS:
        raise BadRequest(f"'outputs' has more than {MOST_OUTPUTS} entries")
    if any(len(key) > _LONGEST_OUTPUT for key in keys):
        raise BadRequest(f"'outputs' has a name of more than {_LONGEST_OUTPUT} characters")


async def begin(services: Services, asked: Asked, key: str | None = None) -> Copy:
    """Have a copy decided and written down.

    Raises:
        ChannelMissing, RequestKeyReused: as they say.
    """
    ticket = Ticket(secrets.token_hex(_ID_BYTES), key)
    copies = services.instance.copies
    copy = await services.instance.database.write(lambda connection: copies.begin(connection, asked, ticket))
    if copy.id == ticket.copy_id and State(copy.state).final:
        services.metrics.count_copy(copy)
    return copy


async def finish(services: Services, copy: Copy, wait_seconds: float = PUBLICATION_SECONDS) -> Copy:
    """Carry a copy out, and wait until everything that it brought into production is published.

    Raises:
        ChannelMissing: the channel has been deleted meanwhile.
        Unavailable: disk or database. The copy is taken up again, whether its client asks again or not.
    """
    done = await services.instance.copies.carried_out(copy)
    if done.revision:
        services.wake()
        await wait_until_live(services, done.channel_id, done.revision, wait_seconds)
    return done
