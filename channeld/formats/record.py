"""A package's index.json becomes its record in repodata (CEP 34, CEP 36, CEP 48).

The record is index.json with what only the file itself tells: md5, sha256 and size. conda-index does the same, and
for packages that keep to the rules the records are equal. Where they are not:

==========================  ==================  ==========================================================
index.json                  conda-index         here
==========================  ==================  ==========================================================
a null at the top level     kept                dropped: rattler loses the name, mamba warns in shards
no ``depends``              none in the record  ``[]``: conda fails on a ``python`` without
``md5``, ``size``, ``url``  kept or replaced    dropped or replaced: only the server knows them, and a
and the like                                    ``record_version`` of 2 keeps conda from reading a subdir
``timestamp`` in seconds    kept                milliseconds (CEP 34)
``timestamp`` a float       kept                an integer (legacy), or refused: rattler loses the name
a build in the future       kept                refused (CEP 47)
``track_features: ""``      kept                dropped: rattler counts it as one feature
``depends`` a string        kept                a list of it (legacy), or refused: rattler loses the name
``build_number`` a string   kept                an integer if it is one (legacy), or refused: likewise
or a float
``license``, ``features``,  kept                joined (legacy), or refused: likewise
… a list
``noarch`` a boolean        kept                ``generic`` or dropped (legacy), or refused
no ``subdir``               none in the record  from ``platform`` and ``arch`` (legacy), or refused
``schema_version`` 3,       the record in v3 if this record in v3, with its dependencies in brackets
``when``, extras, flags     all of the channel  (CEP 43, 44, 45, 48)
                            are
==========================  ==================  ==========================================================

"Legacy" is ``Naming.LEGACY``, for packages that were published before; ``Naming.STRICT`` refuses them.
``indexed_timestamp`` is not set here: it belongs to the place of a file in a channel (CEP 47).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from channeld.formats import record_fields as fields
from channeld.formats.matchspecs import check_specs, to_v3
from channeld.formats.metadata_rejections import (
    FileNameMismatch,
    RecordNotJson,
    RecordTooLarge,
    SchemaVersionUnknown,
)
from channeld.formats.names import Extension, FileName, Naming, check_subdir
from channeld.formats.rejections import shown

#: Bytes of one record. Real ones have below 20 KiB; every client downloads all of them.
RECORD_LIMIT: Final = 256 * 1024
#: The newest schema of index.json that is known (CEP 43, 44, 45).
_NEWEST_SCHEMA: Final = 3

#: What conda-index drops: it says nothing to a solver.
_DROPPED: Final = frozenset(
    {
        "arch",
        "binstar",
        "has_prefix",
        "machine",
        "mtime",
        "operatingsystem",
        "platform",
        "requires_features",
        "target-triplet",
        "ucs",
    }
)
#: What only a server may say of a package, or a client of an installed one.
_NOT_THE_ARTIFACTS: Final = frozenset(
    {
        "attestations_sha256",
        "channel",
        "fn",
        "indexed_timestamp",
        "md5",
        "record_version",
        "run_exports",
        "schannel",
        "sha256",
        "sig",
        "signatures",
        "size",
        "url",
    }
)


class Section(enum.StrEnum):
    """Where in repodata a record stands (CEP 36, CEP 48)."""

    PACKAGES = "packages"
    PACKAGES_CONDA = "packages.conda"
    V3_TAR_BZ2 = "v3.tar.bz2"
    V3_CONDA = "v3.conda"

    @property
    def is_v3(self) -> bool:
        return self in {Section.V3_TAR_BZ2, Section.V3_CONDA}


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """What is known of a package from its bytes: its size in bytes, and its hashes in lowercase hex."""

    filename: FileName
    size: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it goes into repodata, without ``indexed_timestamp``.

    ``key`` is its key in the section: the file name, or in v3 the file name without extension (CEP 48).
    ``fields`` is its JSON: UTF-8, sorted keys, no spaces. ``timestamp`` is in milliseconds.
    """

    filename: FileName
    subdir: str
    section: Section
    key: str
    fields: bytes
    build_number: int
    timestamp: int | None

    @property
    def name(self) -> str:
        return self.filename.name

    @property
    def version(self) -> str:
        return self.filename.version

    @property
    def build(self) -> str:
        return self.filename.build


def make_record(index: Mapping[str, Any], facts: ArtifactFacts, policy: Naming, now_ms: int) -> Record:
    """Return the record of a package. ``now_ms`` is the time in milliseconds since 1970.

    Raises:
        BadMetadata: a client would stumble over the record, or it says something else than the file name.
        BadName: the subdir is none.
    """
    record = {
        key: value
        for key, value in index.items()
        if value is not None and key not in _DROPPED and key not in _NOT_THE_ARTIFACTS
    }
    _check_identity(record, facts.filename)
    subdir = check_subdir(fields.subdir(index, policy))
    number = fields.build_number(record, policy)
    timestamp = fields.timestamp(record, policy, now_ms)
    needs_v3 = _check_dependencies(record, policy)
    fields.normalise_texts(record, policy)
    _replace(record, "noarch", fields.noarch(record, policy))
    _replace(record, "timestamp", timestamp)
    record.update(subdir=subdir, build_number=number, md5=facts.md5, sha256=facts.sha256, size=facts.size)
    if needs_v3:
        _rewrite_dependencies(record)
    section = _SECTIONS[facts.filename.extension, needs_v3]
    return Record(
        filename=facts.filename,
        subdir=subdir,
        section=section,
        key=facts.filename.stem if needs_v3 else str(facts.filename),
        fields=_serialise(record),
        build_number=number,
        timestamp=timestamp,
    )


_SECTIONS: Final = {
    (Extension.TAR_BZ2, False): Section.PACKAGES,
    (Extension.CONDA, False): Section.PACKAGES_CONDA,
    (Extension.TAR_BZ2, True): Section.V3_TAR_BZ2,
    (Extension.CONDA, True): Section.V3_CONDA,
}


def _check_identity(record: Mapping[str, Any], filename: FileName) -> None:
    """Require that index.json and the file name say the same: clients trust now one, now the other."""
    for field in ("name", "version", "build"):
        expected = getattr(filename, field)
        if record.get(field) != expected:
            value = fields.require_text(record, field)
            raise FileNameMismatch(field, expected, shown(value))


def _check_dependencies(record: dict[str, Any], policy: Naming) -> bool:
    """Make lists of the fields with dependencies, check them, and return whether the record belongs in v3."""
    schema = fields.schema_version(record)
    if schema > _NEWEST_SCHEMA:
        raise SchemaVersionUnknown(schema)
    needs_v3 = schema >= _NEWEST_SCHEMA
    record.setdefault("depends", [])
    for field in ("depends", "constrains"):
        if field in record:
            record[field] = fields.spec_list(field, record[field], policy)
            needs_v3 |= check_specs(field, record[field], policy)
    for group, specs in fields.extra_depends(record).items():
        check_specs(f"extra_depends.{group}", specs, policy)
        needs_v3 = True
    return needs_v3 or bool(fields.flags(record))


def _rewrite_dependencies(record: dict[str, Any]) -> None:
    """Write all dependencies as v3 has them."""
    for field in ("depends", "constrains"):
        if field in record:
            record[field] = to_v3(field, record[field])
    if "extra_depends" in record:
        record["extra_depends"] = {
            group: to_v3(f"extra_depends.{group}", specs) for group, specs in record["extra_depends"].items()
        }


def _replace(record: dict[str, Any], field: str, value: Any) -> None:
    if value is None:
        record.pop(field, None)
    else:
        record[field] = value


def _serialise(record: Mapping[str, Any]) -> bytes:
    try:
        data = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise RecordNotJson(shown(str(error))) from None
    if len(data) > RECORD_LIMIT:
        raise RecordTooLarge(len(data), RECORD_LIMIT)
    return data
