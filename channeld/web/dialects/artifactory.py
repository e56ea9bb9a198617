"""Artifactory's upload: ``PUT /<channel>/<subdir>/<file>``, as ``rattler-build upload artifactory`` sends it.

The body is the package, often without a Content-Length; the token is a Bearer or a Basic password. ``rattler-build``
takes any 2xx, and tries nothing again after a 4xx.
"""

from __future__ import annotations

from aiohttp import web

from channeld.web.errors import plain_sentence, speaks
from channeld.web.keys import SERVICES
from channeld.web.rejections import NothingHere
from channeld.web.uploads import Announced, status_of, take
from channeld.web.urls import Kind, parse


@speaks(plain_sentence)
async def put(request: web.Request) -> web.Response:
    """Take a package at the URL under which it will be downloaded; a label in the URL is the label it gets."""
    resource = parse(request.rel_url.raw_path)
    if resource is None or resource.kind is not Kind.ARTIFACT or resource.token or resource.snapshot:
        raise NothingHere(request.rel_url.raw_path)
    announced = Announced(
        channel=resource.channel,
        filename=resource.file,
        labels=(resource.label,),
        subdir=resource.subdir or "",
        sha256=request.headers.get("X-Checksum-Sha256", ""),
        md5=request.headers.get("X-Checksum-Md5", ""),
    )
    services = request.app[SERVICES]
    added = await take(request, services, announced)
    uri = services.origins.public_url(request) + resource.path
    return web.json_response(
        {"uri": uri, "checksums": {"sha256": added.file.sha256, "md5": added.file.md5}},
        status=status_of(added),
    )
