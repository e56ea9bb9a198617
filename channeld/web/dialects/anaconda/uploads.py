"""Uploads in steps.

    POST, PATCH /package/<owner>/<package>            200   changes nothing: what is said of a package is in its files
    POST, PATCH /release/<owner>/<package>/<version>  200   likewise
    POST /stage/<file>                                200   announces the file; 409 where other bytes have the name
    POST /upload/<id>                                 201   the bytes, as a form and without a token
    POST /commit/<file>                               200   the file is in the channel

**The file becomes visible with the commit.** ``stage`` checks the token against channel, labels and package, and
issues an id: short-lived, for one use, and tied to that file, those labels and that token. ``/upload/<id>`` needs no
token, as the clients send none there; it does all of ``ingest()`` but its last step: the bytes are hashed, inspected
and durable, and no row names them. ``commit`` takes a valid token again, the one that staged, and does the last step,
the catalog transaction. So whoever gets hold of an id can send that one file and publish nothing; a token that is
revoked while the bytes are on their way publishes nothing either; and a client that dies between the steps leaves
bytes without a row and a small temporary file, which are swept (``intake.pending``).

A repeated commit, after an answer that was lost, finds the file in the channel and is answered like the first: the
``dist_id`` ends in the sha256 that was announced.

A file that is there with the same bytes is taken again and stays as it is. ``stage`` answers 409 for no other reason
than other bytes under the name: rattler-build's ``--force`` answers a 409 with DELETE.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from aiohttp import BodyPartReader, web
from sqlalchemy import Connection

from channeld.catalog import channels, labels, selection
from channeld.catalog.channels import MAIN
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.catalog.rejections import FileConflict, LabelLocked
from channeld.intake.ingest import Upload
from channeld.intake.pending import PendingUploads, Received
from channeld.intake.rejections import ChecksumMalformed, UploadUnknown
from channeld.web.auth import NotAllowed
from channeld.web.bodies import check_announced, send_continue
from channeld.web.dialects.anaconda.s3 import as_xml
from channeld.web.dialects.anaconda.wire import FILE, Basename, Route, check_text, texts
from channeld.web.dialects.forms import FormReader
from channeld.web.keys import Services
from channeld.web.native.route import Call
from channeld.web.native.wiring import json_of
from channeld.web.rejections import BadRequest, BodyCutShort, BodyTooLarge
from channeld.web.uploads import Announced, LabelClosed, authorise, note

#: Bytes that one field of the form beside the file may have, and how many such fields there may be.
_FIELD_BYTES: Final = 4096
_FIELDS: Final = 32
#: Bytes of a form beyond those of its file.
_FORM_BYTES: Final = 256 * 1024


def _pending(services: Services) -> PendingUploads:
    return PendingUploads(services.instance.blobs.incoming)


async def describe_package(call: Call, owner: str, package: str) -> web.Response:
    """Take note of what the client says of a package, and forget it again."""
    await _check_uploader(call, owner, package)
    await json_of(call.request)
    return web.json_response(
        {
            "name": package,
            "full_name": f"{owner}/{package}",
            "owner": {"login": owner, "user_type": "org"},
            "package_types": ["conda"],
        }
    )


async def describe_release(call: Call, owner: str, package: str, version: str) -> web.Response:
    """Take note of what the client says of a version, and forget it again."""
    await _check_uploader(call, owner, package)
    await json_of(call.request)
    return web.json_response({"version": version})


async def _check_uploader(call: Call, owner: str, package: str) -> None:
    """Refuse early who could upload no file of a package."""
    await call.read(lambda connection: channels.get(connection, owner))
    if not may_allow(call.token.grants, Verb.UPLOAD, owner, package=package):
        raise NotAllowed(missing(call.token.grants, Verb.UPLOAD, owner, package=package))


async def stage(call: Call, owner: str, package: str, version: str, basename: str) -> web.Response:
    """Announce a file, and say where its bytes go."""
    announced = await _announced(call, owner, Basename.split(basename))
    upload = await authorise(call.request, call.services, announced)
    if not Basename(upload.subdir, upload.filename).belongs_to(package, version):
        raise BadRequest(f"{upload.filename} is no file of {package} {version}")
    await call.read(lambda connection: _check_free(connection, upload))
    upload_id = await asyncio.to_thread(_pending(call.services).announce, upload)
    return web.json_response(
        {
            "post_url": f"{call.services.origins.public_url(call.request)}/upload/{upload_id}",
            "form_data": {"key": f"{owner}/{basename}"},
            "dist_id": f"{upload_id}-{upload.sha256}",
        }
    )


async def _announced(call: Call, owner: str, named: Basename) -> Announced:
    """Read what is said of a file. Of that, its labels and its hash mean something; the rest is in its archive."""
    body = await json_of(call.request)
    kind = body.get("distribution_type") or "conda"
    if kind != "conda":
        raise BadRequest(f"the distribution_type is {check_text('distribution_type', kind)!r}, not 'conda'")
    wanted = body.get("channels") or [MAIN]
    if not isinstance(wanted, list):
        raise BadRequest("'channels' is not a list of labels")
    return Announced(
        channel=owner,
        filename=named.filename,
        labels=tuple(dict.fromkeys(check_text("channels", label) for label in wanted)),
        subdir=named.subdir,
        sha256=check_text("sha256", body.get("sha256") or ""),
    )


def _check_free(connection: Connection, upload: Upload) -> None:
    """Find out before the bytes come what would be refused when they are there.

    Raises:
        FileConflict: other bytes hold the name.
        LabelClosed: a label is locked.
        BadName: a label that would be new breaks the rules.
    """
    channel = channels.get(connection, upload.channel)
    found = selection.candidates(connection, channel, upload.subdir, upload.filename, deleted=True)
    taken = upload.sha256 and channel.settings.kind == "standard"
    if found and taken and found[-1].sha256 != upload.sha256:
        raise FileConflict(
            channel.name,
            upload.subdir,
            upload.filename,
            found[-1].sha256,
            upload.sha256,
            deleted=found[-1].deleted_ms is not None,
        )
    there = next((file for file in found if file.sha256 == upload.sha256 and file.deleted_ms is None), None)
    carried = selection.label_names_of(connection, there.id) if there is not None else []
    try:
        labels.check_open(connection, channel, [name for name in upload.labels if name not in carried])
    except LabelLocked as locked:
        raise LabelClosed(locked.sentence()) from None


async def receive(call: Call, upload: str) -> web.Response:
    """Take the bytes of an announced file: all of ``ingest()`` but the last step."""
    services, pending = call.services, _pending(call.services)
    claimed = await asyncio.to_thread(pending.claim, upload, services.clock.now_ms())
    limit = services.instance.settings.server.max_upload_bytes
    check_announced(call.request, limit + _FORM_BYTES)
    await send_continue(call.request)
    form = FormReader(call.request)
    fields: dict[str, str] = {}
    while (part := await form.next()) is not None:
        if part.name == "file":
            said = _with_what_the_form_says(claimed, fields)
            chunks = _read_file(form, part, said.expected_bytes, limit)
            received = Received(said, await services.instance.intake.receive(said, chunks))
            await asyncio.to_thread(pending.keep, upload, received, services.clock.now_ms())
            return web.Response(status=201)
        if len(fields) >= _FIELDS:
            raise BadRequest(f"the form has more than {_FIELDS} fields before its file")
        fields[part.name or ""] = await _text(form, part)
    raise BadRequest("the form has no part called 'file'")


async def _text(form: FormReader, part: BodyPartReader) -> str:
    data = b""
    while chunk := await form.chunk_of(part):
        data += chunk
        if len(data) > _FIELD_BYTES:
            raise BadRequest(f"a field of the form has more than {_FIELD_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _with_what_the_form_says(upload: Upload, fields: dict[str, str]) -> Upload:
    """Add the MD5 and the size that stand in the form before the file; raises ``ChecksumMalformed``."""
    md5, size = fields.get("Content-MD5", ""), fields.get("Content-Length", "")
    if md5:
        try:
            digest = base64.b64decode(md5, validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) != 16:
            raise ChecksumMalformed("md5", md5)
        md5 = digest.hex()
    return replace(
        upload,
        md5=md5,
        expected_bytes=int(size) if size.isascii() and size.isdecimal() and len(size) < 16 else 0,
    )


async def _read_file(
    form: FormReader, part: BodyPartReader, announced: int, limit: int
) -> AsyncIterator[bytes]:
    """Yield the file, and make sure that it has its announced size (0: none was) and the form ends behind it."""
    received = 0
    while chunk := await form.chunk_of(part):
        received += len(chunk)
        if received > limit:
            raise BodyTooLarge(limit)
        yield chunk
    if announced and announced != received:
        raise BodyCutShort(received, announced)
    while (other := await form.next()) is not None:
        if other.name == "file":
            raise BadRequest("the form has two parts called 'file'")


async def commit(call: Call, owner: str, package: str, version: str, basename: str) -> web.Response:
    """Put a received file into the channel."""
    (dist_id,) = await texts(call, "dist_id")
    upload_id, _, sha256 = dist_id.partition("-")
    named, pending = Basename.split(basename), _pending(call.services)
    try:
        received = await asyncio.to_thread(pending.received, upload_id, call.now_ms)
    except UploadUnknown:
        if not await call.read(lambda connection: _is_there(connection, call, owner, named, sha256)):
            raise
        return _committed(call, owner, named)
    upload = received.upload
    mine = (upload.actor.id, upload.channel, upload.subdir, upload.filename)
    if mine != (call.token.id, owner, named.subdir, named.filename):
        raise UploadUnknown(upload_id)
    added = await call.services.instance.intake.add(replace(upload, actor=call.actor), received.artifact)
    note(call.services, added)
    await asyncio.to_thread(pending.forget, upload_id)
    return _committed(call, owner, named, upload.labels[0])


def _is_there(connection: Connection, call: Call, owner: str, named: Basename, sha256: str) -> bool:
    """Tell whether this token has brought a file with these bytes already."""
    channel = channels.get(connection, owner)
    found = selection.candidates(connection, channel, named.subdir, named.filename)
    return any((file.sha256, file.uploaded_by) == (sha256, call.token.id) for file in found)


def _committed(call: Call, owner: str, named: Basename, label: str = MAIN) -> web.Response:
    return web.json_response(
        {
            "basename": f"{named.subdir}/{named.filename}",
            "url": call.file_url(owner, label, named.subdir, named.filename),
        }
    )


_UPLOAD: Final = "An upload"

ROUTES = (
    Route("POST", "/package/{owner}/{package}", describe_package, _UPLOAD),
    Route("PATCH", "/package/{owner}/{package}", describe_package, _UPLOAD),
    Route("POST", "/release/{owner}/{package}/{version}", describe_release, _UPLOAD),
    Route("PATCH", "/release/{owner}/{package}/{version}", describe_release, _UPLOAD),
    Route("POST", f"/stage/{FILE}", stage, _UPLOAD),
    Route("POST", "/upload/{upload}", receive, render=as_xml),
    Route("POST", f"/commit/{FILE}", commit, _UPLOAD),
)
