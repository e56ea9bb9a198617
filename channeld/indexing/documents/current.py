"""``current_repodata.json``: what the classic solver of conda reads first, drawn from the view's own records.

It depends on all names of a subdir at once, so its cost follows the view. A small view has it in the same generation
as its repodata.json; a large one gets it behind the publish path, at most every so often, and until then keeps the one
it has. Clients that miss something in it read repodata.json next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from channeld.catalog.views import ViewKey, view_rows
from channeld.formats.current import CURRENT_SECTIONS, current_record, current_repodata
from channeld.formats.layout import canonical_json, entry
from channeld.formats.relations import ChannelRelations
from channeld.indexing.documents import layouts
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.documents.names import CURRENT
from channeld.indexing.documents.records import REMOVED, record_json
from channeld.indexing.paging import split
from channeld.indexing.rebuild import count_rows
from channeld.indexing.render import Render

#: Files of a view up to which the document is part of the publish path; 2,000 records take about 40 ms.
SMALL: Final = 2000


def render_small(render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations) -> None:
    """Render the document of a view that is small enough to do it at once; otherwise leave it as it is."""
    if count_rows(connection, key) <= SMALL:
        render_current(render, connection, key, relations)


def render_current(render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations) -> None:
    """Render the document from the records that the view shows."""
    records: dict[str, dict[str, dict[str, Any]]] = {section: {} for section in CURRENT_SECTIONS}
    removed = []
    for row in view_rows(connection, key):
        if not row.shown:
            removed.append(row.filename)
        elif row.section in records:
            records[row.section][row.filename] = orjson.loads(record_json(row))
    kept = current_repodata({section: found.items() for section, found in records.items()})
    wanted: dict[str, dict[str, bytes]] = {
        section: dict(_entries(found, kept, records["packages"])) for section, found in records.items()
    }
    if key.lists_removed:
        wanted[REMOVED] = {filename: orjson.dumps(filename) for filename in removed}
    replace_document(render, key, CURRENT, wanted, layouts.repodata(key, relations))


def _entries(
    records: Mapping[str, dict[str, Any]], kept: set[str], tar_bz2: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    for filename in records.keys() & kept:
        twin = tar_bz2.get(filename.removesuffix(".conda") + ".tar.bz2")
        record = current_record(records[filename], twin if filename.endswith(".conda") else None)
        yield filename, entry(filename, canonical_json(record))


def replace_document(
    render: Render,
    key: ViewKey,
    name: str,
    wanted: Mapping[str, Mapping[str, bytes]],
    layout: LayoutOf,
) -> None:
    """Make a paged document hold exactly these entries; pages whose entries are the same stay as they are."""
    changes: dict[str, dict[str, bytes | None]] = {
        section: dict(entries) for section, entries in wanted.items()
    }
    table = render.table_of(key, name)
    for section in table.names if table else ():
        for page in table.section(section) if table else ():
            for old, _ in split(render.press.load(page)):
                changes.setdefault(section, {}).setdefault(old, None)
    render.edit_document(key, name, changes, layout)
