"""The shards of a view that has changed: those of the packages it touches, each made from its last one.

A package may have thousands of files, and a change concerns one or two. Only where there is nothing to edit are all
files of a package read from the catalog: it was not listed, its shard lags behind, or a file left no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from channeld.catalog import shards as shard_rows
from channeld.catalog.viewrows import rows_of_names
from channeld.catalog.views import ViewKey, ViewWork
from channeld.formats.relations import ChannelRelations
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.documents.records import FileInView
from channeld.indexing.documents.shards import FileRecord, Listed, ShardIndex
from channeld.indexing.generation import Whole
from channeld.indexing.pagetable import Place
from channeld.indexing.render import Render


def edit_shards(
    render: Render,
    connection: Connection,
    work: ViewWork,
    files: Mapping[str, FileInView],
    relations: ChannelRelations,
) -> None:
    """Bring the shards of the changed packages up to date, and the index.

    Args:
        files: what the view knows of the changed files, by their names.

    Raises:
        PieceDamaged: the index, or a shard that is edited, is not as it was written.
    """
    key = work.key
    old = render.old(key, SHARDS)
    assert isinstance(old, Whole)
    index = ShardIndex.edited(_listed(render, old.place))
    changed: dict[str, list[FileRecord]] = {}
    for file in files.values():
        changed.setdefault(file.row.name, []).append((file.row, file.record))
    traceless = len(files) < len(work.filenames or ())
    places = {} if traceless else _editable(connection, key, index, changed)
    whole = shards.by_name(rows_of_names(connection, key, work.names - places.keys()))
    for name in sorted(work.names):
        if name in places:
            last = render.engine.packs.read(places[name])
            data = index.edit(name, last, changed[name], lists_removed=key.lists_removed)
        else:
            data = index.replace(name, whole.get(name, []), lists_removed=key.lists_removed)
        if data is not None and index.is_new(name):
            render.put_shard(key, data)
    listed = index.listed
    if listed != index.last:
        data = shards.write_index(key.subdir, listed, relations, render.now_ms)
        render.engine.shard_indexes.keep(render.put_whole(key, SHARDS, data).place, listed)


def _listed(render: Render, place: Place) -> Listed:
    listed = render.engine.shard_indexes.get(place)
    if listed is None:
        listed = shards.read_listed(render.engine.packs.read(place))
        render.engine.shard_indexes.keep(place, listed)
    return listed


def _editable(
    connection: Connection, key: ViewKey, index: ShardIndex, names: Iterable[str]
) -> dict[str, Place]:
    """Return where the shards lie that can be edited, by package."""
    hashes, stale = index.last.hashes, index.last.stale
    listed = {name: hashes[name] for name in names if name in hashes and name not in stale}
    stored = shard_rows.find_all(connection, key.channel_id, list(listed.values()))
    return {
        name: Place(found.pack, found.start, found.size, found.sha256)
        for name, sha256 in listed.items()
        if (found := stored.get(sha256)) is not None
    }
