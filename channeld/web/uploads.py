"""What every upload dialect has in common: authorise, ask for the body, ``ingest()``, wake the indexer.

The order matters: nothing of a body is read before its sender is known to be allowed to send it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web

from channeld.catalog import channels, liveness
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.files import Added
from channeld.catalog.grants import Verb
from channeld.catalog.rejections import ChannelMissing, LabelLocked
from channeld.catalog.tokens import Token
from channeld.formats.names import FileName, Naming, check_channel_name, check_label
from channeld.formats.rejections import BadName
from channeld.intake.ingest import Upload, check_asserted
from channeld.web.auth import NotAllowed
from channeld.web.bodies import check_announced, read_body, send_continue
from channeld.web.keys import Services

_POLL_SECONDS: Final = 0.02
#: The longest that ``Prefer: wait`` makes a request wait.
LONGEST_WAIT: Final = 60.0
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


@dataclass(eq=False)
class LabelClosed(NotAllowed):
    """``LabelLocked`` for clients that take 409 for other bytes under the name, and that for success if so told."""

    advice: ClassVar[str] = LabelLocked.advice


@dataclass(frozen=True, slots=True)
class Announced:
    """What a dialect found in the URL and the header fields of an upload."""

    channel: str
    filename: str
    labels: tuple[str, ...] = (MAIN,)
    subdir: str = ""
    sha256: str = ""
    md5: str = ""


async def accept(request: web.Request, services: Services, announced: Announced) -> Upload:
    """Authorise an upload by everything that is known before its body, and say that the body may come.

    Raises:
        ChannelMissing, BadName, TokenRequired, TokenInvalid, NotAllowed, BadBody: as they say. The body is unread.
    """
    upload = await authorise(request, services, announced)
    check_announced(request, services.instance.settings.server.max_upload_bytes)
    await send_continue(request)
    return replace(upload, expected_bytes=request.content_length or 0)


async def authorise(request: web.Request, services: Services, announced: Announced) -> Upload:
    """Make sure that a request may announce an upload; its body is none of this.

    Raises:
        ChannelMissing, BadName, ChecksumMalformed, TokenRequired, TokenInvalid, NotAllowed: as they say.
    """
    token, channel = await _token_and_channel(request, services, announced.channel)
    if channel is None:
        raise ChannelMissing(announced.channel)
    naming = Naming.LEGACY if channel.settings.legacy == "allow" else Naming.STRICT
    package = FileName.parse(announced.filename, naming).name
    for label in announced.labels:
        check_label(label)
    services.auth.require(token, Verb.UPLOAD, channel.name, announced.labels, package)
    sha256, md5 = announced.sha256.lower(), announced.md5.lower()
    check_asserted(sha256, md5)
    return Upload(
        channel=channel.name,
        filename=announced.filename,
        labels=announced.labels,
        actor=services.auth.actor(request, token),
        naming=naming,
        subdir=announced.subdir,
        sha256=sha256,
        md5=md5,
    )


async def _token_and_channel(
    request: web.Request, services: Services, name: str
) -> tuple[Token, Channel | None]:
    """Look both up at once: while uploads come in, the catalog is another one at each of them."""
    try:
        check_channel_name(name)
    except BadName:
        await services.auth.token(request, "An upload")  # who has none learns nothing about names
        raise
    key = ("channel", name)
    return await services.auth.token_and(
        request, "An upload", key, lambda connection: channels.find(connection, name)
    )


async def take(request: web.Request, services: Services, announced: Announced) -> Added:
    """Take an upload whose body is the package itself."""
    upload = await accept(request, services, announced)
    return await ingest(
        services, upload, read_body(request, services.instance.settings.server.max_upload_bytes)
    )


async def ingest(services: Services, upload: Upload, chunks: AsyncIterator[bytes]) -> Added:
    """Take the bytes of an accepted upload in."""
    added = await services.instance.intake.ingest(upload, chunks)
    note(services, added)
    return added


def note(services: Services, added: Added) -> None:
    """Count what became of an upload, and wake the indexer if there is something to publish."""
    services.metrics.uploads.labels(added.outcome).inc()
    if added.revision:
        services.metrics.uploaded_bytes.inc(added.file.size)
        services.wake()


def status_of(added: Added) -> int:
    """201 for what is new to the channel, 200 for what it had already (a retry after a lost answer, for one)."""
    return 200 if added.outcome == "unchanged" else 201


def preferred_wait(request: web.Request) -> float:
    """Return for how many seconds the client wants to wait (``Prefer: wait``, RFC 7240, section 4.3)."""
    found = _WAIT.search(",".join(request.headers.getall("Prefer", ())))
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


async def wait_until_live(services: Services, channel_id: int, revision: int, seconds: float) -> bool:
    """Wait until everything up to a revision of a channel is published; False when the time ran out first."""
    deadline = services.clock.monotonic() + seconds
    while not await is_live(services, channel_id, revision):
        if services.clock.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def is_live(services: Services, channel_id: int, revision: int) -> bool:
    """Tell whether everything up to a revision of a channel is published. All who wait share one look.

    What is kept may be older than the change: it tells how far it saw.
    """
    seen = await services.shelf.remember(
        ("liveness", channel_id), lambda connection: liveness.look(connection, channel_id)
    )
    return seen.covers(revision)
