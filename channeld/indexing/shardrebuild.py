"""The shards of a view that is rebuilt: all of them, each as soon as the last file of its package has come by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import labelcontents
from channeld.catalog import shards as shard_rows
from channeld.catalog.shards import StoredShard
from channeld.catalog.viewrows import ViewRow, rows_of_names
from channeld.catalog.views import ViewKey
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import ShardTooLarge, decode_shard_index
from channeld.indexing.documents import shards
from channeld.indexing.documents.names import SHARDS
from channeld.indexing.documents.shards import Listed, ShardIndex
from channeld.indexing.errands import Helpers
from channeld.indexing.generation import Whole
from channeld.indexing.packages import PackageFiles, PackageMade, make_packages
from channeld.indexing.packs import PieceDamaged
from channeld.indexing.pagetable import Place
from channeld.indexing.render import Render

_ROWS_AT_ONCE: Final = 1024  # rows of packages that are given to a helper together
_MOST_WAITING: Final = 20_000  # rows of packages that are not complete yet


class RebuiltShards:
    """Makes the shards of a view as its rows stream by.

    Rows come in the order of file names, so files of one package nearly always come together. Where others come
    between them for long, the rows that wait are given up, and are read again in the end.
    """

    def __init__(self, render: Render, connection: Connection, key: ViewKey, helpers: Helpers) -> None:
        self._render = render
        self._connection = connection
        self._key = key
        self._old = _readable(render, key)
        self._index = ShardIndex(shards.read_listed(self._old) if self._old is not None else Listed({}), {})
        self._left = labelcontents.files_of_names(connection, key)
        self._errands = helpers.errands(sum(self._left.values()), make_packages)
        self._waiting: dict[str, list[ViewRow]] = {}
        self._rows = 0
        self._late: set[str] = set()
        self._complete: list[PackageFiles] = []
        self._complete_rows = 0
        self.references: dict[str, Sequence[int]] = {}

    def take(self, row: ViewRow) -> None:
        """Take the next file."""
        name = row.name
        self._left[name] -= 1
        if name in self._late:
            return
        self._waiting.setdefault(name, []).append(row)
        self._rows += 1
        if self._left[name] == 0:
            rows = self._waiting.pop(name)
            self._rows -= len(rows)
            self._make(name, rows)
        elif self._rows > _MOST_WAITING:
            longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
            self._rows -= len(self._waiting.pop(longest))
            self._late.add(longest)

    def _make(self, name: str, rows: Sequence[ViewRow]) -> None:
        self._complete.append(PackageFiles(name, list(map(tuple, rows))))
        self._complete_rows += len(rows)
        if self._complete_rows >= _ROWS_AT_ONCE:
            self._give()

    def _give(self) -> None:
        for made in self._errands.give(self._complete, self._key.lists_removed):
            self._store(made)
        self._complete, self._complete_rows = [], 0

    def _store(self, made: Sequence[PackageMade]) -> None:
        """Store shards, but for those that the last generation lists and that are whole."""
        for one in made:
            self.references[one.name] = one.references
            if one.too_large is None:
                self._index.put(one.name, one.shard)
            else:
                self._keep(one.name, one.too_large)
        new = {one.name: one.shard for one in made if one.shard is not None}
        listed = [self._index.hashes[name] for name in new if not self._index.is_new(name)]
        places = shard_rows.find_all(self._connection, self._key.channel_id, listed)
        for name, data in new.items():
            stored = places.get(self._index.hashes[name])
            if stored is None or not self._is_whole(stored):
                self._render.put_shard(self._key, data)

    def _keep(self, name: str, error: ShardTooLarge) -> None:
        self._index.keep(name, error)
        if not self._is_there(name):
            self._index.hashes.pop(name, None)

    def _is_there(self, name: str) -> bool:
        """Tell whether the shard that a package keeps can be read."""
        listed = self._index.hashes.get(name, b"")
        stored = shard_rows.find(self._connection, self._key.channel_id, listed)
        return stored is not None and self._is_whole(stored)

    def _is_whole(self, shard: StoredShard) -> bool:
        try:
            self._render.engine.packs.read(Place(shard.pack, shard.start, shard.size, shard.sha256))
        except PieceDamaged:
            return False
        return True

    def cancel(self) -> None:
        """Give up what has not been begun."""
        self._errands.cancel()

    def finish(self, relations: ChannelRelations) -> None:
        """Store the last shards, and the index."""
        for name in sorted(self._late):
            self._make(name, list(rows_of_names(self._connection, self._key, frozenset((name,)))))
        self._give()
        for made in self._errands.rest():
            self._store(made)
        index = shards.write_index(self._key.subdir, self._index.listed, relations, self._render.now_ms)
        if self._old is not None and decode_shard_index(self._old).says_the_same(decode_shard_index(index)):
            index = self._old
        self._render.put_whole(self._key, SHARDS, index)


def _readable(render: Render, key: ViewKey) -> bytes | None:
    """Return the shard index of the last generation, if it is there and whole."""
    old = render.old(key, SHARDS)
    try:
        return render.engine.packs.read(old.place) if isinstance(old, Whole) else None
    except PieceDamaged:
        return None
