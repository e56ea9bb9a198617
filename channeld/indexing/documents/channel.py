"""``channeldata.json``: one entry a package name, made from all subdirs of the label (CEP 38).

It is a document of the label's channel-level view. A change re-makes the entries of the names it touches; the view is
made anew when it is rendered for the first time, or when a whole subdir is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import labelcontents, packagerows
from channeld.catalog.labelcontents import ShownFile
from channeld.catalog.views import ViewKey, ViewWork
from channeld.formats.channeldata import CHANNELDATA_SECTIONS, newest_of_versions
from channeld.indexing.documents import layouts
from channeld.indexing.documents.layouts import LayoutOf
from channeld.indexing.documents.names import CHANNELDATA
from channeld.indexing.errands import Helpers
from channeld.indexing.packages import Line, PackageReferences, make_entries
from channeld.indexing.rebuild import Pages, References, readable_table
from channeld.indexing.render import Render

_NAMES_AT_ONCE: Final = 200
_PACKAGES: Final = CHANNELDATA_SECTIONS[0]
_NOTHING: Final[Mapping[str, References]] = {}


def edit_channeldata(render: Render, connection: Connection, key: ViewKey, works: Iterable[ViewWork]) -> None:
    """Bring the document up to date with the changes of the label's views; raises ``PieceDamaged``."""
    changes: dict[str, bytes | None] = {name: None for work in works for name in work.names}
    changes.update(channeldata_lines(connection, key, sorted(changes)))
    render.edit_document(key, CHANNELDATA, {_PACKAGES: changes}, channeldata_layout(connection, key))


def rebuild_channeldata(
    render: Render, connection: Connection, key: ViewKey, known: Mapping[str, References], helpers: Helpers
) -> None:
    """Make the document from the catalog alone; ``known`` has what rebuilding views of some subdirs has found."""
    pages = Pages(render, readable_table(render, key, CHANNELDATA))
    names = labelcontents.names_of_label(connection, key.label_id)
    files = sum(len(ids) for references in known.values() for ids in references.values())
    errands = helpers.errands(files, make_entries)
    try:
        for packages in _packages(connection, key, names, known):
            for made in errands.give(packages):
                _add(pages, made)
        for made in errands.rest():
            _add(pages, made)
    except BaseException:
        errands.cancel()
        raise
    render.put_document(key, CHANNELDATA, pages.finish(), channeldata_layout(connection, key))


def _add(pages: Pages, lines: Sequence[Line]) -> None:
    for name, line in lines:
        pages.add(_PACKAGES, name, line)


def channeldata_layout(connection: Connection, key: ViewKey) -> LayoutOf:
    """Lay out the document; it names the subdirs in which the label has something, or had."""
    return layouts.channeldata(labelcontents.subdirs_of_label(connection, key.label_id))


def channeldata_lines(connection: Connection, key: ViewKey, names: Sequence[str]) -> Iterator[Line]:
    """Yield the entry of each package of which the label shows something, in the order of the names."""
    for packages in _packages(connection, key, names, _NOTHING):
        yield from make_entries(packages)


def _packages(
    connection: Connection, key: ViewKey, names: Sequence[str], known: Mapping[str, References]
) -> Iterator[list[PackageReferences]]:
    """Yield packages of which the label shows something, in the order of the names, some at a time.

    ``known`` has, by subdir, the artifacts that speak for a package; of other subdirs the catalog is asked.
    """
    others = None
    if known:
        subdirs = labelcontents.subdirs_of_label(connection, key.label_id)
        others = [subdir for subdir in subdirs if subdir not in known]
    for start in range(0, len(names), _NAMES_AT_ONCE):
        some = names[start : start + _NAMES_AT_ONCE]
        shown = labelcontents.shown_files(connection, key, some, others)
        chosen = {name: _references(shown.get(name, ())) | _known(name, known) for name in some}
        ids = [artifact_id for found in chosen.values() for artifact_id in found]
        details = dict(packagerows.details(connection, ids))
        files = {
            name: [
                (subdir, *details[artifact_id])
                for artifact_id, subdir in chosen[name].items()
                if artifact_id in details
            ]
            for name in sorted(chosen)
        }
        yield [PackageReferences(name, found) for name, found in files.items() if found]


def _known(name: str, known: Mapping[str, References]) -> dict[int, str]:
    return {artifact_id: subdir for subdir, found in known.items() for artifact_id in found.get(name, ())}


def _references(files: Sequence[ShownFile]) -> dict[int, str]:
    """Choose the files that speak for their package, as artifact id → subdir, in the order of places."""
    by_place = {(file.subdir, file.filename): file for file in files}
    chosen = newest_of_versions(
        (file.subdir, file.filename, file.version, file.timestamp_ms) for file in by_place.values()
    )
    return {by_place[place].artifact_id: place[0] for place in chosen}
