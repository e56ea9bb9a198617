"""Copies from one channel into another, or from one label to another.

    POST, PUT, PATCH /copy/package/<owner>/<package>/<version>/[<subdir>/<filename>]    200   a list of what was copied

The body says ``{"to_owner", "from_channel", "to_channel"}``: the channel that gets the files (null: that of the token),
and two labels. The list has the files that changed; what was there with the same bytes and the label is not in it.
Other bytes under a name are a conflict, 409, whatever the method: ``--replace`` (PUT) and ``--update`` (PATCH) differ
from a plain copy in what they do to metadata, of which there are none apart from the files.

All of the files are copied, or none.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import Connection

from channeld.catalog import copying, relabelling
from channeld.catalog.channels import MAIN
from channeld.catalog.copying import Copying
from channeld.catalog.grants import Verb
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection, StoredFile
from channeld.formats.names import check_label
from channeld.web.dialects.anaconda.accounts import home_of
from channeld.web.dialects.anaconda.labels import approval
from channeld.web.dialects.anaconda.wire import FILE, Basename, Route, texts
from channeld.web.native.access import sight_of
from channeld.web.native.route import Call
from channeld.web.rejections import BadRequest


async def copy(call: Call, owner: str, package: str, version: str, basename: str = "") -> web.Response:
    """Copy the files of a release, or one of them."""
    target, label, to_label = await texts(call, "to_owner", "from_channel", "to_channel")
    target, label, to_label = target or home_of(call.token), label or MAIN, to_label or MAIN
    if not target:
        raise BadRequest("'to_owner' is null, and the token is about more than one channel")
    sight = await sight_of(call, owner)
    sight.check(label)
    check_label(to_label)
    named = Basename.split(basename)
    selected = Selection(
        subdir=named.subdir, filename=named.filename, name=package, version=version, label=label
    )
    work = _relabelled if target == owner else _copied
    changed = await call.write(lambda connection: work(connection, call, owner, selected, target, to_label))
    return web.json_response(
        [
            {
                "basename": f"{file.subdir}/{file.filename}",
                "full_name": f"{target}/{file.name}/{file.version}/{file.subdir}/{file.filename}",
                "version": file.version,
            }
            for file in changed
        ]
    )


def _copied(
    connection: Connection, call: Call, owner: str, selected: Selection, target: str, label: str
) -> list[StoredFile]:
    def approve(files: Sequence[StoredFile]) -> None:
        for package in sorted({file.name for file in files}) or [selected.name]:
            call.services.auth.require(call.token, Verb.UPLOAD, target, (label,), package)

    asked = Copying(owner, selected, target, (label,))
    done = copying.copy(connection, asked, call.actor, approve)
    return [added.file for added in done if added.outcome != "unchanged"]


def _relabelled(
    connection: Connection, call: Call, owner: str, selected: Selection, _target: str, label: str
) -> list[StoredFile]:
    asked = Relabelling((selected,), add=(label,))
    changes, _ = relabelling.apply(connection, owner, asked, call.actor, approval(call, owner))
    return [change.file for change in changes]


_COPY = "Copying files"

ROUTES = (
    *(Route(method, f"/copy/package/{FILE}", copy, _COPY) for method in ("POST", "PUT", "PATCH")),
    *(
        Route(method, "/copy/package/{owner}/{package}/{version}/", copy, _COPY)
        for method in ("POST", "PUT", "PATCH")
    ),
)
