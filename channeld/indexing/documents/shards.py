"""Sharded repodata (CEP 16): one shard a package name, and the index that names their hashes.

The index of the last generation is also what says which shards a view has: a change makes new shards for the names it
touches and rewrites the index. ``created_at`` moves only with the index's content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import orjson

from channeld.catalog.views import ViewRow
from channeld.formats.relations import ChannelRelations
from channeld.formats.shard import decode_shard_index, encode_shard, encode_shard_index

#: Relative to the index, so that the same bytes serve under a token and under every mirror.
SHARDS_URL = "./shards/"


def shard(rows: Iterable[ViewRow], *, lists_removed: bool) -> bytes | None:
    """Encode the shard of one package from its rows; None when nothing of it is shown."""
    sections: dict[str, dict[str, dict[str, Any]]] = {}
    removed = []
    for row in rows:
        if not row.shown:
            removed.append(row.filename)
            continue
        record = orjson.loads(row.record)
        record["indexed_timestamp"] = row.indexed_ms
        record["run_exports"] = orjson.loads(row.run_exports)
        key = row.filename.removesuffix(row.section[2:]) if row.section.startswith("v3") else row.filename
        sections.setdefault(row.section, {})[key] = record
    if not sections:
        return None
    return encode_shard(sections, removed if lists_removed else [])


def by_name(rows: Iterable[ViewRow]) -> Iterator[tuple[str, list[ViewRow]]]:
    """Gather the rows of each package."""
    for name, group in groupby(sorted(rows, key=lambda row: row.name), key=lambda row: row.name):
        yield name, list(group)


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
