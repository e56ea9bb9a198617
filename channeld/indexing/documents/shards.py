"""Sharded repodata (CEP 16): one shard a package name, and the index that names their hashes.

The index of the last generation is also what says which shards a view has: a change makes new shards for the names it
touches and rewrites the index. ``created_at`` moves only with the index's content.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from channeld.catalog.views import ViewRow
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import (
    ShardTooLarge,
    decode_shard_index,
    encode_shard,
    encode_shard_index,
    shard_digest,
)
from channeld.indexing.documents.records import key_in, record_of

log = logging.getLogger(__name__)

#: Relative to the index, so that the same bytes serve under a token and under every mirror.
SHARDS_URL = "./shards/"


#: A file of a view, and its record there, to which the rest of what a shard says is added.
FileRecord = tuple[ViewRow, dict[str, Any]]


def shard(files: Iterable[FileRecord], *, lists_removed: bool) -> bytes | None:
    """Encode the shard of one package from its files; None when nothing of it is shown.

    Raises:
        ShardTooLarge: it is more than clients take.
    """
    sections: dict[str, dict[str, dict[str, Any]]] = {}
    removed = []
    for row, record in files:
        if row.shown:
            record["run_exports"] = orjson.loads(row.run_exports)
            sections.setdefault(row.section, {})[key_in(row.section, row.filename)] = record
        else:
            removed.append(row.filename)
    if not sections:
        return None
    return encode_shard(sections, removed if lists_removed else [])


class ShardIndex:
    """The names of a view and the hashes of their shards, while a new generation is made."""

    def __init__(self, known: Mapping[str, bytes], hashes: Mapping[str, bytes]) -> None:
        #: What the last generation lists.
        self.known = known
        self.hashes = dict(hashes)

    def replace(self, name: str, files: Iterable[FileRecord], *, lists_removed: bool) -> bytes | None:
        """Note what a package's shard is now; returns its bytes, or None when it is not shown any more.

        A package that outgrew what clients take keeps the shard it has: all other packages must go on.
        """
        try:
            data = shard(files, lists_removed=lists_removed)
        except ShardTooLarge as error:
            log.error("The shard of the package %r stays as it is. %s", name, error)
            if name in self.known:
                self.hashes[name] = self.known[name]
            return None
        if data is None:
            self.hashes.pop(name, None)
        else:
            self.hashes[name] = shard_digest(data)
        return data

    def is_new(self, name: str) -> bool:
        """Tell whether the last generation did not list this very shard."""
        return self.hashes.get(name) != self.known.get(name)


def by_name(rows: Iterable[ViewRow]) -> dict[str, list[FileRecord]]:
    """Gather the files of each package, with their records."""
    gathered: dict[str, list[FileRecord]] = {}
    for row in rows:
        gathered.setdefault(row.name, []).append((row, record_of(row)))
    return gathered


def read_index(data: bytes) -> dict[str, bytes]:
    """Return package name → sha256 of its shard."""
    return dict(decode_shard_index(data).shards)


def write_index(subdir: str, shards: Mapping[str, bytes], relations: ChannelRelations, now_ms: int) -> bytes:
    """Encode the shard index of a view."""
    created_at = datetime.fromtimestamp(now_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
    document = relations.document()
    return encode_shard_index(
        shards.items(),
        subdir=subdir,
        base_url="",
        shards_base_url=SHARDS_URL,
        created_at=created_at.replace("+00:00", "Z"),
        extra={"channel_relations": document} if document else {},
    )


def says_the_same(data: bytes, other: bytes) -> bool:
    """Tell whether two indexes differ in nothing but the time at which they were made."""
    one, two = decode_shard_index(data), decode_shard_index(other)
    return one.shards == two.shards and {**one.info, "created_at": ""} == {**two.info, "created_at": ""}
