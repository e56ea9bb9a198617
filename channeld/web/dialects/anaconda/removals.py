"""Deletions.

    DELETE /dist/<owner>/<package>/<version>/<subdir>/<filename>      200
    DELETE /release/<owner>/<package>/<version>                       201
    DELETE /package/<owner>/<package>                                 201

The token needs the right on every label that a file carries. A release and a package go as a whole or not at all. The
names stay taken: in a standard channel the same bytes may come back, and others are refused when they are staged. So
``anaconda upload --force`` with other bytes deletes the old file and then fails; with a token that may upload and not
delete it only fails.

In a staging channel other bytes are one candidate more, and a token deletes what it uploaded itself: of several
candidates its newest. With the right ``configure`` on the channel it is the newest of all.
"""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from channeld.catalog import channels, listing, selection
from channeld.catalog.channels import Channel
from channeld.catalog.listing import Wanted
from channeld.catalog.rejections import FileMissing, PackageMissing
from channeld.catalog.selection import StoredFile
from channeld.formats.rejections import BadName
from channeld.web import deleting
from channeld.web.dialects.anaconda.wire import FILE, Basename, Route
from channeld.web.native.route import Call

_PAGE = 1000


async def remove_dist(call: Call, owner: str, package: str, version: str, basename: str) -> web.Response:
    """Delete one file; of several candidates the newest that the token may delete."""
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
        file = _meant(connection, call, channel, named)
        if file is None:
            raise missing
        deleting.delete(connection, call, channel, file)

    await call.write(work)
    return web.json_response({})


def _meant(connection: Connection, call: Call, channel: Channel, named: Basename) -> StoredFile | None:
    """Choose among the candidates of a name; one that is not the token's is chosen only to be refused by name."""
    found = selection.candidates(connection, channel, named.subdir, named.filename)
    own = [file for file in found if deleting.is_own(call.token, channel, file)]
    return (own or found)[-1] if found else None


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
                deleting.delete(connection, call, channel, listed.file)
            count += len(found)
        return count

    if not await call.write(work):
        raise PackageMissing(owner, wanted.name, wanted.version)
    return web.json_response({}, status=201)


_DELETE = "Deleting a file"

ROUTES = (
    Route("DELETE", f"/dist/{FILE}", remove_dist, _DELETE),
    Route("DELETE", "/release/{owner}/{package}/{version}", remove_release, _DELETE),
    Route("DELETE", "/package/{owner}/{package}", remove_package, _DELETE),
)
