"""prefix.dev's upload: ``POST /api/v1/upload/<channel>``, as rattler-build and pixi send it.

A form with the part ``file``, whose own header fields name and hash it, or the package as the whole body with the same
fields on the request. 409 is what ``--skip-existing`` waits for; other errors are shown to the user as they are, up to
512 characters. ``force`` is refused: a file name never gets other bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.multipart import MultipartReader

from channeld.catalog.channels import MAIN
from channeld.catalog.files import Added
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.catalog.rejections import ChannelMissing
from channeld.errors import Rejected
from channeld.web.auth import NotAllowed
from channeld.web.bodies import check_announced, send_continue
from channeld.web.errors import plain_sentence, speaks
from channeld.web.keys import SERVICES, Services
from channeld.web.rejections import BadRequest, BodyCutShort, BodyTooLarge
from channeld.web.uploads import Announced, accept, ingest, status_of, take

_CHUNK = 256 * 1024


@dataclass(eq=False)
class ForceRefused(Rejected):
    """The client asks to overwrite a file."""

    channel: str

    advice: ClassVar[str] = "Upload without it; give a changed package a higher build number."

    def sentence(self) -> str:
        return (
            f"The channel {self.channel!r} never gives a file name other bytes, so `force` is not possible."
        )


@dataclass(eq=False)
class AttestationNotKept(Rejected):
    """The client sends an attestation, and nothing here would verify or serve it."""

    advice: ClassVar[str] = "Upload without an attestation."

    def sentence(self) -> str:
        return "This server does not verify attestations yet, and does not accept what it cannot verify."


@speaks(plain_sentence)
async def post(request: web.Request) -> web.Response:
    """Take a package in either form."""
    services = request.app[SERVICES]
    channel = request.match_info["channel"]
    if request.query.get("force", "false").lower() in ("true", "1"):
        await services.auth.token(request, "An upload")
        raise ForceRefused(channel)
    if request.content_type.startswith("multipart/"):
        added = await _take_form(request, services, channel)
    else:
        added = await take(request, services, _announced(channel, request.headers, ""))
    text = f"{added.file.subdir}/{added.file.filename}: {added.outcome}\n"
    return web.Response(status=status_of(added), text=text)


def _announced(channel: str, headers: object, filename: str) -> Announced:
    get = getattr(headers, "get")  # noqa: B009 - request and part headers share no type
    name = get("X-File-Name") or filename
    if not name:
        raise BadRequest("the header field X-File-Name is missing")
    return Announced(channel, name, (MAIN,), sha256=get("X-File-SHA256") or "")


async def _take_form(request: web.Request, services: Services, channel: str) -> Added:
    await _check_before_form(request, services, channel)
    form = await request.multipart()
    async for part in _parts(form):
        if part.name == "attestation":
            raise AttestationNotKept
        if part.name == "file":
            announced = _announced(channel, part.headers, part.filename or "")
            upload = await accept(request, services, announced)
            return await ingest(services, upload, _read_part(request, services, form, part))
    raise BadRequest("the form has no part called 'file'")


async def _check_before_form(request: web.Request, services: Services, channel: str) -> None:
    """Refuse whoever could upload no package at all here, before the form is asked for."""
    token = await services.auth.token(request, "An upload")
    found = await services.shelf.channel(channel)
    if found is None:
        raise ChannelMissing(channel)
    if not may_allow(token.grants, Verb.UPLOAD, channel, MAIN):
        raise NotAllowed(missing(token.grants, Verb.UPLOAD, channel, MAIN))
    check_announced(request, services.instance.settings.server.max_upload_bytes)
    await send_continue(request)


async def _parts(form: MultipartReader) -> AsyncIterator[BodyPartReader]:
    try:
        while (part := await form.next()) is not None:
            if isinstance(part, BodyPartReader):
                yield part
    except (ValueError, AssertionError) as error:
        raise BadRequest(f"the form is malformed ({error})") from None


async def _read_part(
    request: web.Request, services: Services, form: MultipartReader, part: BodyPartReader
) -> AsyncIterator[bytes]:
    """Yield the part, and make sure that the form ends properly and brings nothing else of weight."""
    limit = services.instance.settings.server.max_upload_bytes
    received = 0
    try:
        while chunk := await part.read_chunk(_CHUNK):
            received += len(chunk)
            if received > limit:
                raise BodyTooLarge(limit)
            yield chunk
        announced = part.headers.get(hdrs.CONTENT_LENGTH)
        if announced is not None and announced.isdigit() and int(announced) != received:
            raise BodyCutShort(received, int(announced))
        if not part.at_eof():
            raise BodyCutShort(received, request.content_length)
    except (OSError, RuntimeError, ValueError, AssertionError, web.RequestPayloadError) as error:
        raise BodyCutShort(received, request.content_length) from error
    async for other in _parts(form):
        if other.name == "attestation":
            raise AttestationNotKept
