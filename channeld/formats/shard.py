"""Sharded repodata (CEP 16, with the ``run_exports`` of CEP 21 and the ``v3`` of CEP 48): shards and their index.

A *shard* is what a repodata.json says of one package name, a zstd-compressed msgpack map. It is named by the sha256
of its compressed bytes, so the same records have to give the same bytes: keys are sorted at every level, and the
compression level never varies. The *index* maps every name of a subdir to its shard.

What the readers need, beyond the CEP:

- exactly one zstd frame, with its content size, and a window of 8 MiB at most: conda reads the first frame only, and
  older versions need the size. A shard has 16 MiB at most uncompressed, an index 100 MB (limits of conda and mamba).
- both ``packages`` and ``packages.conda``, even when empty: conda looks up both.
- hashes as msgpack ``bin``: mamba skips those that are text. No nil values: mamba warns of each.
- ``base_url``, ``shards_base_url``, ``subdir`` and ``created_at`` in the index as text: mamba and rattler refuse
  an index without one of them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import lt
from typing import Any, Final

import msgpack
import orjson
import zstandard

from channeld.errors import Rejected
from channeld.formats.layout import canonical_json

INDEX_VERSION: Final = 1

#: Bytes after decompression: what conda takes of a shard, and mamba of an index.
SHARD_LIMIT: Final = 16 << 20
INDEX_LIMIT: Final = 100_000_000

# Measured on 50-record shards of 25 kB: level 3 leaves 4428 bytes in 80 µs, 6 leaves 4258 in 180, 9 4245 in 235, 16
# 4167 in 5100. A shard is compressed once and downloaded for ever, but a cold index writes thousands: 6.
_SHARD_LEVEL: Final = 6
# Two thirds of an index are hashes, which do not compress. For 14,628 names level -1 leaves 559 kB in 1.5 ms, 1 leaves
# 561 kB in 2.3, 3 leaves 553 kB in 5. As every change writes an index anew, it is the quickest of these.
_INDEX_LEVEL: Final = -1
# A context keeps the memory of the largest shard it had.
_LARGEST_FOR_KEPT_CONTEXT: Final = 1 << 20
# For reading what others wrote: the largest window that conda and rattler accept.
_MAX_WINDOW: Final = 1 << 27

#: A field of ours in ``info`` of an index: the packages that outgrew ``SHARD_LIMIT``, whose shards lag behind.
STALE_SHARDS: Final = "stale_shards"

_V3: Final = "v3."
_CLASSIC: Final = ("packages", "packages.conda")
#: Fields of a record that are hex in JSON and bytes here, with their length.
_HASHES: Final = {"md5": 16, "sha256": 32, "legacy_bz2_md5": 16}
_PLAIN: Final = frozenset({str, int, float, bool})
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

Record = Mapping[str, Any]
#: Section → key → record. Sections are those of a repodata.json: ``packages``, ``packages.conda``, ``v3.conda``, ….
Sections = Mapping[str, Mapping[str, Record]]


@dataclass(eq=False)
class ShardTooLarge(Rejected):
    size: int
    limit: int = SHARD_LIMIT

    def sentence(self) -> str:
        return f"The records of one package name come to {self.size} bytes, more than the {self.limit} clients take."

    advice = "Remove files of this name from the channel, or give new ones another name."


@dataclass(eq=False)
class ShardUnreadable(Rejected):
    what: str
    reason: str

    def sentence(self) -> str:
        return f"The {self.what} cannot be read: {self.reason}."

    advice = "Ask whoever serves it to write it anew."


@dataclass(frozen=True, slots=True)
class Shard:
    """A decoded shard: records as repodata.json has them, hashes in hex."""

    sections: dict[str, dict[str, dict[str, Any]]]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """A decoded index: its ``info`` as it is, and name → sha256 of the shard, 32 bytes."""

    info: dict[str, Any]
    shards: dict[str, bytes]

    def says_the_same(self, other: ShardIndex) -> bool:
        """Tell whether two indexes differ in nothing but the time at which they were made."""
        return self.shards == other.shards and {**self.info, "created_at": ""} == {
            **other.info,
            "created_at": "",
        }


def shard_digest(data: bytes) -> bytes:
    """Return the hash that names a shard: that of its compressed bytes, as all indexers and clients have it."""
    return hashlib.sha256(data).digest()


def encode_shard(sections: Sections, removed: Iterable[str] = ()) -> bytes:
    """Write the shard of one package name.

    Args:
        sections: its records. ``run_exports`` is written where a record has it: ``{}`` says that there are none, and
            no such key that nothing is known of them (CEP 21). Fields that are null are left out.
        removed: file names of the name that were listed once.

    Raises:
        ShardTooLarge: more than clients decompress.
        ValueError: a section that is none, or a hash that is not hex of its length.
    """
    return _compress_document(_encode_sections(sections), sorted(removed))


def edit_shard(
    data: bytes, filenames: Collection[str], sections: Sections, removed: Iterable[str] = ()
) -> bytes | None:
    """Change some files of a shard of ours, which costs a fraction of what writing it from all records costs.

    Args:
        data: the shard, as ``encode_shard`` or this wrote it.
        filenames: the files that are told anew. Wherever they stand, they are taken out.
        sections: their records, of those that are to stand somewhere.
        removed: those of them that are to be listed as removed.

    Returns:
        What ``encode_shard`` makes of all records; None when none is left.

    Raises:
        ShardUnreadable: the shard is none.
        ShardTooLarge, ValueError: as ``encode_shard`` does.
    """
    document = _unpack(data, SHARD_LIMIT, "shard")
    new = _encode_sections(sections)
    merged = {}
    for name, records in _sections_of(document).items():
        suffix = f".{name.removeprefix(_V3)}" if name.startswith(_V3) else ""
        for filename in filenames:
            if filename.endswith(suffix):
                records.pop(filename.removesuffix(suffix), None)
        merged[name] = records
    for name, records in new.items():
        merged[name] = dict(sorted({**merged.get(name, {}), **records}.items()))
    if not any(merged.values()):
        return None
    listed = [filename for filename in document.get("removed", ()) if filename not in filenames]
    return _compress_document(dict(sorted(merged.items())), sorted((*listed, *removed)))


def decode_shard(data: bytes) -> Shard:
    """Read a shard, ours or another server's.

    Raises:
        ShardUnreadable: not zstd, not msgpack, larger than clients take, or not a map of maps.
    """
    document = _unpack(data, SHARD_LIMIT, "shard")
    try:
        return Shard(
            {
                name: {key: _decode_record(record) for key, record in records.items()}
                for name, records in _sections_of(document).items()
            },
            tuple(document.get("removed", ())),
        )
    except (AttributeError, TypeError):
        raise ShardUnreadable("shard", "its records are not maps") from None


def encode_shard_index(
    shards: Mapping[str, bytes],
    *,
    subdir: str,
    base_url: str,
    shards_base_url: str,
    created_at: str,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Write the index of a subdir.

    Args:
        shards: package name → ``shard_digest``, in any order; quickest in that of the names.
        subdir: such as ``linux-64``.
        base_url: where the artifacts are, relative to the index; ``""`` is beside it.
        shards_base_url: where the shards are, likewise.
        created_at: RFC 3339. When the content last changed, not when this was written: it goes into the bytes.
        extra: what else ``info`` says: ``channel_relations`` (CEP 42), ``repodata_revisions`` (CEP 48).

    Raises:
        ValueError: a time that is not RFC 3339 (rattler refuses the index), or a digest that is not 32 bytes.
    """
    if not _RFC3339.fullmatch(created_at):
        raise ValueError(f"not a time as RFC 3339 writes it: {created_at!r}")
    if not _are_digests(shards):
        wrong = next(name for name in sorted(shards) if not _are_digests({name: shards[name]}))
        raise ValueError(f"the digest of {wrong!r} is not that of a sha256")
    info = {
        **(extra or {}),
        "base_url": base_url,
        "created_at": created_at,
        "shards_base_url": shards_base_url,
        "subdir": subdir,
    }
    document = {
        "info": orjson.loads(canonical_json(info)),
        "shards": in_order(shards),
        "version": INDEX_VERSION,
    }
    return _compressor(_INDEX_LEVEL).compress(_pack(document))


def in_order(shards: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Put shards in the order of their names; those that are, stay as they are: a third of the time."""
    names = list(shards)
    if all(map(lt, names, islice(names, 1, None))):
        return shards
    return {name: shards[name] for name in sorted(names)}


def decode_shard_index(data: bytes) -> ShardIndex:
    """Read an index, ours or another server's; hashes may be bytes or hex.

    Raises:
        ShardUnreadable: not zstd, not msgpack, larger than clients take, a newer version, or hashes that are none.
    """
    document = _unpack(data, INDEX_LIMIT, "shard index")
    # rattler-index writes no version.
    if document.get("version", INDEX_VERSION) != INDEX_VERSION:
        raise ShardUnreadable("shard index", f"its version is {document['version']!r}")
    shards = document.get("shards", {})
    try:
        if not _are_digests(shards):
            shards = {name: _digest(value) for name, value in shards.items()}
    except (AttributeError, TypeError, ValueError):
        raise ShardUnreadable("shard index", "it does not map names to hashes") from None
    return ShardIndex(document.get("info", {}), shards)


def _sections_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name the sections of an unpacked shard as a repodata.json does."""
    sections = {name: document.get(name, {}) for name in _CLASSIC}
    return sections | {_V3 + extension: records for extension, records in document.get("v3", {}).items()}


def _encode_sections(sections: Sections) -> dict[str, dict[str, Any]]:
    return {
        name: {key: _encode_record(records[key]) for key in sorted(records)}
        for name, records in sorted(sections.items())
    }


def _compress_document(sections: dict[str, dict[str, Any]], removed: list[str]) -> bytes:
    document: dict[str, Any] = {name: sections.pop(name, {}) for name in _CLASSIC}
    document["removed"] = removed
    if wrong := next((name for name in sections if not name.startswith(_V3)), None):
        raise ValueError(f"no section of a repodata.json: {wrong!r}")
    v3 = {name.removeprefix(_V3): records for name, records in sections.items() if records}
    if v3:
        document["v3"] = v3
    packed = _pack(document)
    if len(packed) > SHARD_LIMIT:
        raise ShardTooLarge(len(packed))
    compressor = _shards.compressor if len(packed) <= _LARGEST_FOR_KEPT_CONTEXT else _compressor(_SHARD_LEVEL)
    return compressor.compress(packed)


def _encode_record(record: Record) -> dict[str, Any]:
    """Write a record with its keys sorted: 3.7 µs for a usual one, where JSON there and back takes 7."""
    encoded = {}
    for field, is_hash in _fields_in_order(tuple(record)):
        value = record[field]
        if value is None:
            continue
        if is_hash:
            encoded[field] = _hash_bytes(field, value)
        else:
            encoded[field] = value if type(value) in _PLAIN else _in_order(value)
    return encoded


@lru_cache(maxsize=1024)
def _fields_in_order(fields: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    """Sort the fields of a record, and say which are hashes; records have the same few sets of fields."""
    return tuple((field, field in _HASHES) for field in sorted(fields))


def _in_order(value: Any) -> Any:
    """Sort the keys in a value that is made of others, at every level; most are lists of texts and have none."""
    if not value or (type(value) is list and _PLAIN.issuperset(map(type, value))):
        return value
    return orjson.loads(canonical_json(value))


def _hash_bytes(field: str, value: str) -> bytes:
    digest = bytes.fromhex(value)
    if len(digest) != _HASHES[field]:
        raise ValueError(f"{field} has {len(digest)} bytes: {value!r}")
    return digest


def _decode_record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in record.items()}


def _are_digests(shards: Mapping[str, Any]) -> bool:
    """Tell whether all values are sha256 as bytes: of 24,000 in 1 ms, where one by one they take 7."""
    values = shards.values()
    return set(map(type, values)) <= {bytes} and set(map(len, values)) <= {32}


def _digest(value: bytes | str) -> bytes:
    digest = bytes.fromhex(value) if isinstance(value, str) else value
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise ValueError(f"not a sha256: {value!r}")
    return digest


def _pack(document: Mapping[str, Any]) -> bytes:
    return bytes(msgpack.packb(document, use_bin_type=True))


def _compressor(level: int) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=level, write_content_size=True)


class _Shards(threading.local):
    """The zstd context of a thread, as threads must not share one: a third of the time of a shard is making it anew."""

    def __init__(self) -> None:
        self.compressor = _compressor(_SHARD_LEVEL)


_shards: Final = _Shards()


def _unpack(data: bytes, limit: int, what: str) -> dict[str, Any]:
    # A bomb is not blown up: no more than the limit is ever decompressed.
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    try:
        if 0 < zstandard.frame_content_size(data) <= limit:
            packed = decompressor.decompress(data)
        else:
            with decompressor.stream_reader(data) as reader:
                packed = reader.read(limit + 1)
    except zstandard.ZstdError as error:
        raise ShardUnreadable(what, f"it is not zstd ({error})") from None
    if len(packed) > limit:
        raise ShardUnreadable(what, f"it has more than {limit} bytes")
    try:
        document = msgpack.unpackb(packed)
    except (ValueError, msgpack.UnpackException) as error:
        raise ShardUnreadable(what, f"it is not msgpack ({error})") from None
    if not isinstance(document, dict):
        raise ShardUnreadable(what, "it is not a map")
    return document
