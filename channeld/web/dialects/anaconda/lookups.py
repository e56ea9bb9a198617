"""What is there: packages, releases, files.

    GET /package/<owner>/<package>                                  200, 404
    GET /release/<owner>/<package>/<version>                        200, 404
    GET /dist/<owner>/<package>/<version>/<subdir>/<filename>       200, 404

A package and a release are there as long as a file of them is; the channel stores nothing about them beyond what the
archives say. The catalog itself is asked, not what is published: what this client has just changed is seen.

A token that may upload to a private channel and not read it is told 404, not 403, so that it can go on.

For the same reason a look-up of one file in a staging channel answers an uploader's token by what that token uploaded:
``anaconda upload`` takes anything else under the name for a conflict, and there it is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from aiohttp import web
from rattler import Version
from sqlalchemy import Connection

from channeld.catalog import listing, packagerows, selection
from channeld.catalog.candidates import is_staging
from channeld.catalog.channels import MAIN, Channel
from channeld.catalog.grants import Verb, allows, may_allow
from channeld.catalog.listing import Listed, Wanted
from channeld.catalog.packagerows import PackageDetails
from channeld.catalog.rejections import FileMissing, PackageMissing
from channeld.formats.rejections import BadName
from channeld.web.auth import NotAllowed, TokenInvalid
from channeld.web.dialects.anaconda.wire import FILE, Basename, Route
from channeld.web.native.access import Sight, sight_of
from channeld.web.native.route import Call
from channeld.web.native.values import time_text
from channeld.web.rejections import NothingHere

_PAGE = 1000


async def see(call: Call, owner: str, package: str | None = None) -> Sight:
    """Find a channel that is to be looked at, for a package in it.

    Raises:
        ChannelMissing, TokenRequired, TokenInvalid, NotAllowed: as for every reader.
        NothingHere: for one who may only upload.
    """
    try:
        return await sight_of(call, owner)
    except NotAllowed:
        token = await call.optional_token()
        if token is None or not may_allow(token.grants, Verb.UPLOAD, owner, package=package):
            raise
        raise NothingHere(call.request.rel_url.raw_path) from None


async def package(call: Call, owner: str, package: str) -> web.Response:
    """Show a package with all of its files."""
    sight = await see(call, owner, package)
    found, details = await call.read(lambda c: _files(c, sight, Wanted(name=package)))
    if not found:
        raise PackageMissing(owner, package, "")
    return web.json_response(_shown_package(call, sight, package, found, details))


def _shown_package(
    call: Call, sight: Sight, package: str, found: Sequence[Listed], details: PackageDetails | None
) -> dict[str, Any]:
    """Describe a package."""
    versions = sorted({listed.file.version for listed in found}, key=Version)
    about = orjson.loads(details.facts).get("about", {}) if details is not None else {}
    private = sight.channel.settings.private
    return {
        "name": package,
        "full_name": f"{sight.channel.name}/{package}",
        "owner": {"login": sight.channel.name, "user_type": "org"},
        "summary": about.get("summary") or "",
        "license": about.get("license"),
        "access": "private" if private else "public",
        "public": not private,
        "package_types": ["conda"],
        "conda_platforms": sorted({listed.file.subdir for listed in found}),
        "latest_version": versions[-1],
        "versions": versions,
        "releases": [{"version": version} for version in versions],
        "files": [_shown_file(call, sight, listed) for listed in found],
    }


async def release(call: Call, owner: str, package: str, version: str) -> web.Response:
    """Show the files of one version."""
    sight = await see(call, owner, package)
    found, _ = await call.read(lambda c: _files(c, sight, Wanted(name=package, version=version)))
    if not found:
        raise PackageMissing(owner, package, version)
    distributions = [_shown_file(call, sight, listed) for listed in found]
    return web.json_response(
        {"version": version, "public_attrs": {"description": ""}, "distributions": distributions}
    )


async def dist(call: Call, owner: str, package: str, version: str, basename: str) -> web.Response:
    """Show one file; of several candidates the newest."""
    sight = await see(call, owner, package)
    named = Basename.split(basename)
    try:
        possible = named.belongs_to(package, version)
    except BadName:  # no upload under such a name can have succeeded, and the next one will say why
        possible = False
    uploader = await _uploader(call, sight.channel)
    work = partial(_find, sight=sight, named=named, uploader=uploader)
    found = await call.read(work) if possible else None
    if found is None:
        raise FileMissing(owner, named.subdir, named.filename)
    listed, details = found
    record = orjson.loads(details.record) if details is not None else {}
    return web.json_response(_shown_file(call, sight, listed, record))


async def _uploader(call: Call, channel: Channel) -> str:
    """Return the id of a token that uploads to a staging channel without being in charge of it; "" for all others."""
    if not is_staging(channel):
        return ""
    try:
        token = await call.optional_token()
    except TokenInvalid:  # it takes none to look
        return ""
    if token is None or not may_allow(token.grants, Verb.UPLOAD, channel.name):
        return ""
    return "" if allows(token.grants, Verb.CONFIGURE, channel.name) else token.id


def _find(
    connection: Connection, sight: Sight, named: Basename, uploader: str
) -> tuple[Listed, PackageDetails | None] | None:
    candidates = selection.candidates(connection, sight.channel, named.subdir, named.filename)
    file = next((each for each in reversed(candidates) if uploader in ("", each.uploaded_by)), None)
    if file is None:
        return None
    seen = _seen(sight, Listed(file, tuple(selection.label_names_of(connection, file.id))))
    return None if seen is None else (seen, _details(connection, file.artifact_id))


def _files(
    connection: Connection, sight: Sight, wanted: Wanted
) -> tuple[list[Listed], PackageDetails | None]:
    """List all files that are wanted and may be seen, and what is said of the one that came last."""
    found: list[Listed] = []
    after = ""
    while True:
        listed, after = listing.page(connection, sight.channel, wanted, _PAGE, after)
        found += [seen for each in listed if (seen := _seen(sight, each)) is not None]
        if not after:
            break
    if not found:
        return [], None
    return found, _details(connection, max(found, key=lambda each: each.file.id).file.artifact_id)


def _seen(sight: Sight, listed: Listed) -> Listed | None:
    """Leave out the labels that may not be seen, and a file that carries no other."""
    labels = tuple(name for name in listed.labels if sight.shows(name))
    return Listed(listed.file, labels) if labels or sight.shows_all else None


def _details(connection: Connection, artifact_id: int) -> PackageDetails | None:
    return next((details for _, details in packagerows.details(connection, [artifact_id])), None)


def _shown_file(
    call: Call, sight: Sight, listed: Listed, record: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a file; with its record where it is described alone."""
    file, channel = listed.file, sight.channel.name
    label = MAIN if MAIN in listed.labels or not listed.labels else listed.labels[0]
    basename = f"{file.subdir}/{file.filename}"
    return {
        "basename": basename,
        "full_name": f"{channel}/{file.name}/{file.version}/{basename}",
        "owner": channel,
        "package": file.name,
        "version": file.version,
        "type": "conda",
        "distribution_type": "conda",
        "description": "",
        "labels": list(listed.labels),
        "md5": file.md5,
        "sha256": file.sha256,
        "size": file.size,
        "upload_time": time_text(file.uploaded_ms),
        "download_url": call.file_url(channel, label, file.subdir, file.filename),
        "attrs": {"subdir": file.subdir} if record is None else record,
    }


ROUTES = (
    Route("GET", "/package/{owner}/{package}", package),
    Route("GET", "/release/{owner}/{package}/{version}", release),
    Route("GET", f"/dist/{FILE}", dist),
)
