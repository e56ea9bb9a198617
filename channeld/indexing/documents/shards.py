"""Sharded repodata (CEP 16): one shard a package name, and the index that names their hashes.

The index of the last generation is also what says which shards a view has: a change edits the shards of the names it
touches and rewrites the index. ``created_at`` moves only with the index's content.

A package that outgrew what clients take keeps the shard it has: all other packages must go on. The index names it in
``stale_shards`` of its ``info``, so that nobody takes that shard for the whole of the package, and we edit it no more.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import orjson

from channeld.catalog.viewrows import ViewRow
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import (
    STALE_SHARDS,
    Sections,
    ShardTooLarge,
    decode_shard_index,
    edit_shard,
    encode_shard,
    encode_shard_index,
    in_order,
    shard_digest,
)
from channeld.indexing.documents.records import key_in, record_of

log = logging.getLogger(__name__)

#: Relative to the index, so that the same bytes serve under a token and under every mirror.
SHARDS_URL: Final = "./shards/"

#: A file of a view, and its record there, to which the rest of what a shard says is added.
FileRecord = tuple[ViewRow, dict[str, Any]]


def shard(files: Iterable[FileRecord], *, lists_removed: bool) -> bytes | None:
    """Encode the shard of one package from its files; None when nothing of it is shown.

    Raises:
        ShardTooLarge: it is more than clients take.
    """
    sections, removed = _sort(files, lists_removed=lists_removed)
    return encode_shard(sections, removed) if sections else None


def _sort(files: Iterable[FileRecord], *, lists_removed: bool) -> tuple[Sections, list[str]]:
    """Return the records that are shown, by section and key, and the names of the files that are listed as removed."""
    sections: dict[str, dict[str, dict[str, Any]]] = {}
    removed = []
    for row, record in files:
        if row.shown:
            record["run_exports"] = orjson.loads(row.run_exports)
            sections.setdefault(row.section, {})[key_in(row.section, row.filename)] = record
        elif lists_removed:
            removed.append(row.filename)
    return sections, removed


@dataclass(frozen=True, slots=True)
class Listed:
    """What an index lists."""

    #: Package name → sha256 of its shard.
    hashes: Mapping[str, bytes]
    #: Packages that outgrew what clients take.
    stale: frozenset[str] = frozenset()


class ShardIndex:
    """The names of a view and the hashes of their shards, while a new generation is made."""

    def __init__(self, last: Listed, hashes: Mapping[str, bytes], stale: Collection[str] = ()) -> None:
        self.last = last
        self.hashes = dict(hashes)
        self.stale = set(stale)

    @classmethod
    def edited(cls, last: Listed) -> Self:
        """Begin with what the last generation lists."""
        return cls(last, last.hashes, last.stale)

    @property
    def listed(self) -> Listed:
        """What is listed now, in the order of the names."""
        return Listed(in_order(self.hashes), frozenset(self.stale))

    def replace(self, name: str, files: Iterable[FileRecord], *, lists_removed: bool) -> bytes | None:
        """Make a package's shard from all its files; returns its bytes, or None when there is no new one."""
        try:
            return self.put(name, shard(files, lists_removed=lists_removed))
        except ShardTooLarge as error:
            self.keep(name, error)
            return None

    def edit(
        self, name: str, data: bytes, files: Collection[FileRecord], *, lists_removed: bool
    ) -> bytes | None:
        """Make a package's shard from its last one and the files that changed; returns as ``replace`` does."""
        sections, removed = _sort(files, lists_removed=lists_removed)
        filenames = {row.filename for row, _ in files}
        try:
            return self.put(name, edit_shard(data, filenames, sections, removed))
        except ShardTooLarge as error:
            self.keep(name, error)
            return None

    def put(self, name: str, data: bytes | None) -> bytes | None:
        """Note the shard of a package, None where nothing of it is shown; returns it."""
        self.stale.discard(name)
        if data is None:
            self.hashes.pop(name, None)
        else:
            self.hashes[name] = shard_digest(data)
        return data

    def keep(self, name: str, error: ShardTooLarge) -> None:
        """Note that the shard of a package stays as it is, since it would be too large."""
        log.error("The shard of the package %r stays as it is. %s", name, error)
        if name in self.last.hashes:
            self.hashes[name] = self.last.hashes[name]
        self.stale.add(name)

    def is_new(self, name: str) -> bool:
        """Tell whether the last generation did not list this very shard."""
        return self.hashes.get(name) != self.last.hashes.get(name)


def by_name(rows: Iterable[ViewRow]) -> dict[str, list[FileRecord]]:
    """Gather the files of each package, with their records."""
    gathered: dict[str, list[FileRecord]] = {}
    for row in rows:
        gathered.setdefault(row.name, []).append((row, record_of(row)))
    return gathered


def read_index(data: bytes) -> dict[str, bytes]:
    """Return package name → sha256 of its shard."""
    return dict(decode_shard_index(data).shards)


def read_listed(data: bytes) -> Listed:
    """Return what an index lists."""
    index = decode_shard_index(data)
    return Listed(index.shards, frozenset(index.info.get(STALE_SHARDS, ())))


def write_index(subdir: str, listed: Listed, relations: ChannelRelations, now_ms: int) -> bytes:
    """Encode the shard index of a view."""
    created_at = datetime.fromtimestamp(now_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
    extra: dict[str, Any] = {STALE_SHARDS: sorted(listed.stale)} if listed.stale else {}
    if document := relations.document():
        extra["channel_relations"] = document
    return encode_shard_index(
        listed.hashes,
        subdir=subdir,
        base_url="",
        shards_base_url=SHARDS_URL,
        created_at=created_at.replace("+00:00", "Z"),
        extra=extra,
    )
