"""prefix.dev's upload: ``POST /api/v1/upload/<channel>``, as rattler-build and pixi send it.

A form with the part ``file``, whose own header fields name and hash it, or the package as the whole body with the same
fields on the request. 409 is what ``--skip-existing`` waits for; other errors are shown to the user as they are, up to
512 characters. ``force`` changes nothing: a file name never gets other bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import BodyPartReader, hdrs, web
from multidict import MultiMapping

from channeld.catalog.channels import MAIN
from channeld.catalog.files import Added
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.catalog.rejections import ChannelMissing, FileConflict, LabelLocked
from channeld.errors import Rejected
from channeld.formats.names import check_channel_name
from channeld.web.auth import NotAllowed
from channeld.web.bodies import check_announced, send_continue
from channeld.web.dialects.forms import FormReader
from channeld.web.errors import plain_sentence, speaks
from channeld.web.keys import SERVICES, Services
from channeld.web.rejections import BadRequest, BodyCutShort, BodyTooLarge
from channeld.web.uploads import Announced, LabelClosed, accept, ingest, status_of, take

_TRUE: Final = ("true", "1")


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
    try:
        if request.content_type.startswith("multipart/"):
            added = await _take_form(request, services, channel)
        else:
            added = await take(request, services, _announced(channel, request.headers, ""))
    except FileConflict as conflict:
        if request.query.get("force", "").lower() in _TRUE:
            raise ForceRefused(channel) from conflict
        raise
    except LabelLocked as locked:
        raise LabelClosed(locked.sentence()) from None
    text = f"{added.file.subdir}/{added.file.filename}: {added.outcome}\n"
    return web.Response(status=status_of(added), text=text)


def _announced(channel: str, fields: MultiMapping[str], filename: str) -> Announced:
    name = fields.get("X-File-Name") or filename
    if not name:
        raise BadRequest("the header field X-File-Name is missing")
    return Announced(channel, name, (MAIN,), sha256=fields.get("X-File-SHA256") or "")


async def _take_form(request: web.Request, services: Services, channel: str) -> Added:
    await _check_before_form(request, services, channel)
    form = FormReader(request)
    while (part := await form.next()) is not None:
        if part.name == "attestation":
            raise AttestationNotKept
        if part.name == "file":
            announced = _announced(channel, part.headers, part.filename or "")
            upload = await accept(request, services, announced)
            limit = services.instance.settings.server.max_upload_bytes
            return await ingest(services, upload, _read_file(form, part, limit))
    raise BadRequest("the form has no part called 'file'")


async def _check_before_form(request: web.Request, services: Services, channel: str) -> None:
    """Refuse whoever could upload no package at all here, before the form is asked for."""
    token = await services.auth.token(request, "An upload")
    found = await services.shelf.channel(check_channel_name(channel))
    if found is None:
        raise ChannelMissing(channel)
    if not may_allow(token.grants, Verb.UPLOAD, channel, MAIN):
        raise NotAllowed(missing(token.grants, Verb.UPLOAD, channel, MAIN))
    check_announced(request, services.instance.settings.server.max_upload_bytes)
    await send_continue(request)


async def _read_file(form: FormReader, part: BodyPartReader, limit: int) -> AsyncIterator[bytes]:
    """Yield the part, and make sure that the form ends properly and brings no second file and no attestation."""
    received = 0
    while chunk := await form.chunk_of(part):
        received += len(chunk)
        if received > limit:
            raise BodyTooLarge(limit)
        yield chunk
    announced = part.headers.get(hdrs.CONTENT_LENGTH, "")
    if announced.isdecimal() and int(announced) != received:
        raise BodyCutShort(received, int(announced))
    while (other := await form.next()) is not None:
        if other.name == "attestation":
            raise AttestationNotKept
        if other.name == "file":
            raise BadRequest("the form has two parts called 'file'")
