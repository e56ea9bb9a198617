"""Labels, which this API calls channels.

    GET    /channels/<owner>                        200   an object, keyed by label
    GET    /channels/<owner>/<label>                200   its files
    POST   /channels/<owner>/<label>                201   put it on a file, a version or a package
    DELETE /channels/<owner>/<label>                201   take it off again; with nothing named, drop it
    POST   /channels/<owner>/<label>/copy/<to>      201   put another one on all of its files
    POST   /channels/<owner>/<label>/lock           201
    DELETE /channels/<owner>/<label>/lock           201

What is meant is named by the JSON body, also of a DELETE: ``{"package", "version", "basename"}``, null where it does
not matter. Files that are as asked for already are no error. ``broken`` is a label like the others here, and means what
it means everywhere: conda-forge marks files as broken with exactly these calls.

With nothing named a POST would mean every file of the channel; that is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import hdrs, web
from sqlalchemy import Connection

from channeld.catalog import labels, listing, relabelling
from channeld.catalog.audit import Actor
from channeld.catalog.grants import Verb, may_allow, missing
from channeld.catalog.labels import Label
from channeld.catalog.listing import Wanted
from channeld.catalog.rejections import NothingSelected
from channeld.catalog.relabelling import Relabelled, Relabelling
from channeld.catalog.selection import Selection
from channeld.errors import Unavailable
from channeld.formats.names import check_label
from channeld.web.auth import NotAllowed
from channeld.web.dialects.anaconda.lookups import see
from channeld.web.dialects.anaconda.wire import Basename, Route, texts
from channeld.web.native.access import Sight
from channeld.web.native.route import Call
from channeld.web.native.values import time_text

log = logging.getLogger(__name__)

#: Files that are looked up at a time.
_PAGE = 1000


async def every(call: Call, owner: str) -> web.Response:
    """List the labels that may be seen."""
    sight = await see(call, owner)
    found = await call.read(lambda connection: labels.every(connection, sight.channel))
    return web.json_response(
        {label.name: {"is_locked": label.locked} for label in found if sight.shows(label.name)}
    )


async def show(call: Call, owner: str, label: str) -> web.StreamResponse:
    """List the files that carry a label, however many they are: written while they are looked up."""
    sight = await see(call, owner)
    sight.check(label)
    found = await call.read(lambda connection: labels.get(connection, sight.channel, label))
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/json"})
    await response.prepare(call.request)
    if call.request.method == hdrs.METH_HEAD:
        return response
    try:
        async for text in _written(call, sight, found):
            await response.write(text.encode())
    except Unavailable as error:
        log.warning("A list of files broke off. %s", error)
        call.request.protocol.force_close()  # without the last chunk the client sees that it is not whole
        return response
    await response.write_eof()
    return response


async def _written(call: Call, sight: Sight, label: Label) -> AsyncIterator[str]:
    head = json.dumps({"name": label.name, "is_locked": label.locked})
    yield f'{head[:-1]}, "files": ['
    after, separator = "", ""
    while True:
        texts, after = await call.read(_page(sight, label, after))
        for text in texts:
            yield separator + text
            separator = ",\n"
        if not after:
            break
    yield "]}"


def _page(sight: Sight, label: Label, after: str) -> Callable[[Connection], tuple[list[str], str]]:
    def read(connection: Connection) -> tuple[list[str], str]:
        found, then = listing.page(connection, sight.channel, Wanted(label=label.name), _PAGE, after)
        return [
            json.dumps(
                {
                    "basename": f"{file.subdir}/{file.filename}",
                    "full_name": f"{sight.channel.name}/{file.name}/{file.version}/{file.subdir}/{file.filename}",
                    "version": file.version,
                    "upload_time": time_text(file.uploaded_ms),
                }
            )
            for file in (listed.file for listed in found)
        ], then

    return read


async def put_on(call: Call, owner: str, label: str) -> web.Response:
    """Put a label on what the body names."""
    selected = await _selected(call)
    if selected is None:
        raise NothingSelected(owner)
    return await _relabel(call, owner, Relabelling((selected,), add=(label,)))


async def take_off(call: Call, owner: str, label: str) -> web.Response:
    """Take a label off what the body names; drop it where it names nothing."""
    selected = await _selected(call)
    if selected is not None:
        return await _relabel(call, owner, Relabelling((selected,), remove=(label,)))
    call.require(Verb.CONFIGURE, owner, label)
    await call.write(lambda connection: labels.delete(connection, owner, label, call.actor))
    return _done()


async def copy(call: Call, owner: str, label: str, to: str) -> web.Response:
    """Put a second label on all files that carry a first one."""
    return await _relabel(call, owner, Relabelling((Selection(label=label),), add=(to,)))


async def lock(call: Call, owner: str, label: str) -> web.Response:
    """Have a label take no change."""
    return await _set_lock(call, owner, label, locked=True)


async def unlock(call: Call, owner: str, label: str) -> web.Response:
    """Have a label take changes again."""
    return await _set_lock(call, owner, label, locked=False)


async def _set_lock(call: Call, owner: str, label: str, *, locked: bool) -> web.Response:
    call.require(Verb.CONFIGURE, owner, label)
    await call.write(lambda connection: labels.configure(connection, owner, label, call.actor, locked=locked))
    return _done()


async def _selected(call: Call) -> Selection | None:
    """Read which files are meant; None where nothing is named."""
    package, version, basename = await texts(call, "package", "version", "basename")
    if not (package or basename):
        return None
    named = Basename.split(basename)
    return Selection(subdir=named.subdir, filename=named.filename, name=package, version=version)


async def _relabel(call: Call, owner: str, asked: Relabelling) -> web.Response:
    for label in (*asked.add, *asked.remove):
        check_label(label)
        if not may_allow(call.token.grants, Verb.LABEL, owner, label):
            raise NotAllowed(missing(call.token.grants, Verb.LABEL, owner, label))
    actor: Actor = call.actor
    await call.write(
        lambda connection: relabelling.apply(connection, owner, asked, actor, approval(call, owner))
    )
    return _done()


def approval(call: Call, owner: str) -> Callable[[Sequence[Relabelled]], None]:
    """Make sure that the token reaches each label of each package that is about to change."""

    def approve(changes: Sequence[Relabelled]) -> None:
        touched = {(label, one.file.name) for one in changes for label in (*one.added, *one.removed)}
        for label, package in sorted(touched):
            call.services.auth.require(call.token, Verb.LABEL, owner, (label,), package)

    return approve


def _done() -> web.Response:
    return web.json_response({}, status=201)


_CHANGE = "Changing the labels of files"
_CONFIGURE = "Changing a channel"

#: The ones with more parts come first: a label may have slashes.
ROUTES = (
    Route("POST", "/channels/{owner}/{label:.+}/copy/{to:.+}", copy, _CHANGE),
    Route("POST", "/channels/{owner}/{label:.+}/lock", lock, _CONFIGURE),
    Route("DELETE", "/channels/{owner}/{label:.+}/lock", unlock, _CONFIGURE),
    Route("GET", "/channels/{owner}", every),
    Route("GET", "/channels/{owner}/{label:.+}", show),
    Route("POST", "/channels/{owner}/{label:.+}", put_on, _CHANGE),
    Route("DELETE", "/channels/{owner}/{label:.+}", take_off, _CHANGE),
)
