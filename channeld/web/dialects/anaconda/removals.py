"""Deletions.

    DELETE /dist/<owner>/<package>/<version>/<subdir>/<filename>      200
    DELETE /release/<owner>/<package>/<version>                       201
    DELETE /package/<owner>/<package>                                 201

The token needs the right on every label that a file carries. A release and a package go as a whole or not at all. The
names stay taken: in a standard channel the same bytes may come back, and others are refused when they are staged. So
``anaconda upload --force`` with other bytes deletes the old file and then fails; with a token that may upload and not
delete it only fails.
"""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from channeld.catalog import channels, files, listing, selection
from channeld.catalog.grants import Verb
from channeld.catalog.listing import Wanted
from channeld.catalog.rejections import FileMissing, PackageMissing
from channeld.catalog.selection import StoredFile
from channeld.formats.rejections import BadName
from channeld.web.dialects.anaconda.wire import FILE, Basename, Route
from channeld.web.native.route import Call

_PAGE = 1000


async def remove_dist(call: Call, owner: str, package: str, version: str, basename: str) -> web.Response:
    """Delete one file; of several candidates the newest, which is the one that a look-up shows."""
    named = Basename.split(basename)
    missing = FileMissing(owner, named.subdir, named.filename)
    try:
        possible = named.belongs_to(package, version)
    except BadName:
        possible = False
    if not possible:
        raise missing

    def work(connection: Connection) -> None:
        channel = channels.lock(connection, [owner])[owner]
        file = selection.newest(connection, channel, named.subdir, named.filename)
        if file is None:
            raise missing
        _delete(connection, call, owner, file)

    await call.write(work)
    return web.json_response({})


async def remove_release(call: Call, owner: str, package: str, version: str) -> web.Response:
    """Delete all files of a version."""
    return await _remove_all(call, owner, Wanted(name=package, version=version))


async def remove_package(call: Call, owner: str, package: str) -> web.Response:
    """Delete all files of a package."""
    return await _remove_all(call, owner, Wanted(name=package))


async def _remove_all(call: Call, owner: str, wanted: Wanted) -> web.Response:
    def work(connection: Connection) -> int:
        channel = channels.lock(connection, [owner])[owner]
        count = 0
        # what is deleted is on no later page
        while found := listing.page(connection, channel, wanted, _PAGE)[0]:
            for listed in found:
                _delete(connection, call, owner, listed.file)
            count += len(found)
        return count

    if not await call.write(work):
        raise PackageMissing(owner, wanted.name, wanted.version)
    return web.json_response({}, status=201)


def _delete(connection: Connection, call: Call, owner: str, file: StoredFile) -> None:
    carried = selection.label_names_of(connection, file.id)
    call.services.auth.require(call.token, Verb.DELETE, owner, carried or (None,), file.name)
    files.delete(connection, owner, file.subdir, file.filename, call.actor, sha256=file.sha256)


_DELETE = "Deleting a file"

ROUTES = (
    Route("DELETE", f"/dist/{FILE}", remove_dist, _DELETE),
    Route("DELETE", "/release/{owner}/{package}/{version}", remove_release, _DELETE),
    Route("DELETE", "/package/{owner}/{package}", remove_package, _DELETE),
)
