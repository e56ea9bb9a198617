"""``current_repodata.json`` of a small view: drawn in the same render as its repodata.json.

The document depends on all names of a subdir at once, so its cost follows the view. A large view gets it behind the
publish path (see ``indexing.refresh``), and until then keeps the one it has. Clients that miss something in it read
repodata.json next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from channeld.catalog.viewrows import ViewRow, view_rows
from channeld.catalog.views import ViewKey
from channeld.formats.current import CURRENT_SECTIONS, current_record, current_repodata
from channeld.formats.layout import canonical_json, entry
from channeld.formats.relations import ChannelRelations
from channeld.indexing.documents import layouts
from channeld.indexing.documents.names import CURRENT
from channeld.indexing.documents.records import REMOVED, record_of
from channeld.indexing.generation import Paged
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.press import load_page
from channeld.indexing.rebuild import Pages, readable_table
from channeld.indexing.render import Render

#: Files of a view up to which the document is part of the publish path; 1,000 records take about 20 ms.
SMALL: Final = 1000

Records = Mapping[str, dict[str, dict[str, Any]]]


def render_current(render: Render, connection: Connection, key: ViewKey, relations: ChannelRelations) -> None:
    """Draw the document from the records that the view shows now."""
    rows = list(view_rows(connection, key))
    pages = Pages(render, readable_table(render, key, CURRENT))
    for section, filename, line in _lines(_records(rows)):
        pages.add(section, filename, line)
    for row in rows:
        if key.lists_removed and not row.shown:
            pages.add(REMOVED, row.filename, orjson.dumps(row.filename))
    render.put_document(key, CURRENT, pages.finish(), layouts.repodata(key, relations))


def _records(rows: list[ViewRow]) -> Records:
    records: dict[str, dict[str, dict[str, Any]]] = {section: {} for section in CURRENT_SECTIONS}
    for row in rows:
        if row.shown and row.section in records:
            records[row.section][row.filename] = record_of(row)
    return records


def _lines(records: Records) -> Iterator[tuple[str, str, bytes]]:
    kept = current_repodata({section: found.items() for section, found in records.items()})
    for section, found in records.items():
        for filename in sorted(found.keys() & kept):
            yield section, filename, line(filename, found[filename], records["packages"])


def line(filename: str, record: dict[str, Any], tar_bz2: Mapping[str, dict[str, Any]]) -> bytes:
    """Write the entry of a kept file, given the records of all ``.tar.bz2`` files, its twin among them."""
    twin = tar_bz2.get(filename.removesuffix(".conda") + ".tar.bz2") if filename.endswith(".conda") else None
    return entry(filename, canonical_json(current_record(record, twin)))


def keep_current_if_whole(render: Render, key: ViewKey) -> None:
    """Leave a damaged document of a large view out of the next generation: it is made behind the publish path."""
    document = render.old(key, CURRENT)
    if isinstance(document, Paged):
        render.engine.tables.forget(document.table)
        try:
            for page in render.engine.tables.get(document.table).pages():
                load_page(render.engine.packs, page)
        except PieceDamaged:
            render.drop(key, CURRENT)
