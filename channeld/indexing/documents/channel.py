"""``channeldata.json``: one entry a package name, made from all subdirs of the label (CEP 38).

It is a document of the label's channel-level view. A change re-makes the entries of the names it touches; the view is
made anew when it is rendered for the first time, or when a whole subdir is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from channeld.catalog import packagerows
from channeld.catalog.views import ViewKey, ViewWork
from channeld.formats.archive.facts import ChannelFacts
from channeld.formats.channeldata import (
    CHANNELDATA_SECTIONS,
    ReferenceFile,
    package_entry,
    reference_files,
)
from channeld.formats.layout import canonical_json, entry
from channeld.indexing.documents import layouts
from channeld.indexing.documents.names import CHANNELDATA
from channeld.indexing.paging import Cutter
from channeld.indexing.render import Render

_NAMES_AT_ONCE: Final = 500
_PACKAGES: Final = CHANNELDATA_SECTIONS[0]


def render_channeldata(
    render: Render, connection: Connection, key: ViewKey, works: Iterable[ViewWork], subdirs: Iterable[str]
) -> None:
    """Bring the document up to date with the changes of the label's views."""
    works = list(works)
    whole = not render.has_documents(key) or any(work.filenames is None for work in works)
    if whole:
        _rebuild(render, connection, key, subdirs)
        return
    names = sorted({name for work in works for name in work.names})
    changes = {name: _line(connection, key, name) for name in names}
    render.edit_document(key, CHANNELDATA, {_PACKAGES: changes}, layouts.channeldata(subdirs))


def _rebuild(render: Render, connection: Connection, key: ViewKey, subdirs: Iterable[str]) -> None:
    render.forget(key)
    cutter = Cutter(render.engine.page_size)
    drafts = []
    last = ""
    while names := packagerows.names(connection, key, last, _NAMES_AT_ONCE):
        for name in names:
            line = _line(connection, key, name)
            if line is not None and (draft := cutter.add(name, line)) is not None:
                drafts.append(render.press.put(draft, render.engine.levels.quick))
        last = names[-1]
    if (draft := cutter.finish()) is not None:
        drafts.append(render.press.put(draft, render.engine.levels.quick))
    render.put_pressed(key, CHANNELDATA, {_PACKAGES: drafts}, layouts.channeldata(subdirs))


def _line(connection: Connection, key: ViewKey, name: str) -> bytes | None:
    """Return the entry of a package, or None when the label shows nothing of it."""
    files = packagerows.shown_files(connection, key, name)
    if not files:
        return None
    chosen = set(
        reference_files(
            (file.subdir, file.filename, {"version": file.version, "timestamp": file.timestamp_ms})
            for file in files
        )
    )
    subdir_of = {file.artifact_id: file.subdir for file in files if (file.subdir, file.filename) in chosen}
    references = [
        ReferenceFile(subdir_of[artifact_id], *_read(details))
        for artifact_id, details in packagerows.details(connection, subdir_of)
    ]
    return entry(name, canonical_json(package_entry(references)))


def _read(details: packagerows.PackageDetails) -> tuple[dict[str, Any], dict[str, Any], ChannelFacts]:
    facts = ChannelFacts(**orjson.loads(details.facts))
    return orjson.loads(details.record), orjson.loads(details.run_exports), facts
