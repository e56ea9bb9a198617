"""What a package says about itself: its index.json and run_exports, parsed, out of a checked archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from channeld.formats.archive.info import (
    INDEX,
    PATHS,
    RUN_EXPORTS_JSON,
    RUN_EXPORTS_YAML,
    InfoFiles,
    read_info,
)
from channeld.formats.archive.limits import Limits
from channeld.formats.archive.plainyaml import load_plain_yaml
from channeld.formats.metadata_rejections import DocumentMalformed, RunExportsMalformed
from channeld.formats.names import FileName, Naming
from channeld.formats.rejections import shown
from channeld.formats.runexports import normal_run_exports

#: What run_exports may have (CEP 34); ``schema_version`` says that ``when`` is used (CEP 43).
_RUN_EXPORTS: Final = frozenset(
    {"noarch", "schema_version", "strong", "strong_constrains", "weak", "weak_constrains"}
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A package whose archive is in order.

    ``index`` is info/index.json as it stands; ``channeld.formats.record.make_record`` judges it.
    ``run_exports`` has the form of CEP 12, and is empty if there are none.
    ``info`` are the files that ``channeld.formats.archive.facts.channel_facts`` reads on.
    """

    index: Mapping[str, Any]
    run_exports: Mapping[str, Any]
    info: InfoFiles


def inspect_archive(
    file: BinaryIO, filename: FileName, naming: Naming = Naming.STRICT, limits: Limits | None = None
) -> Inspection:
    """Check a package's archive and read its metadata. The file must be seekable; memory does not grow with it.

    Raises:
        BadArchive: the file is no package, or unsafe, or readers could take it for different ones.
        BadMetadata: a document below info/ cannot be parsed.
    """
    info = read_info(file, filename, naming, limits)
    if naming is Naming.STRICT:
        _check_paths(parse_object(info, PATHS))
    return Inspection(parse_object(info, INDEX), _run_exports(info, naming), info)


def parse_object(info: InfoFiles, path: str) -> dict[str, Any]:
    """Parse a document that is a JSON object (RFC 8259: UTF-8, no NaN).

    Raises:
        DocumentMalformed
    """
    try:
        value = orjson.loads(info[path])
    except orjson.JSONDecodeError as error:
        raise DocumentMalformed(path, shown(str(error))) from None
    if not isinstance(value, dict):
        raise DocumentMalformed(path, "it is not a JSON object")
    return value


def _check_paths(document: Mapping[str, Any]) -> None:
    """Require of paths.json what clients need to install the package (CEP 34)."""
    paths = document.get("paths")
    if not isinstance(paths, list):
        raise DocumentMalformed(PATHS, "it has no list of paths")
    for entry in paths:
        if not isinstance(entry, dict) or not isinstance(entry.get("_path"), str):
            raise DocumentMalformed(PATHS, "an entry has no path")


def _run_exports(info: InfoFiles, naming: Naming) -> dict[str, Any]:
    """Return what the package makes others depend on; JSON goes before the YAML of conda-build before 3.1."""
    if RUN_EXPORTS_JSON in info:
        path = RUN_EXPORTS_JSON
        try:
            value = orjson.loads(info[path])
        except orjson.JSONDecodeError as error:
            raise RunExportsMalformed(path, shown(str(error))) from None
    elif RUN_EXPORTS_YAML in info:
        path = RUN_EXPORTS_YAML
        value = load_plain_yaml(info[path])
    else:
        return {}
    if naming is Naming.STRICT:
        _check_run_exports(path, value)
    return normal_run_exports(value)


def _check_run_exports(path: str, value: object) -> None:
    """Require the forms of CEP 34; of packages from before it, what has another form is left out."""
    kinds = {"weak": value} if isinstance(value, list) else value
    if not isinstance(kinds, Mapping):
        raise RunExportsMalformed(path, "it is neither a list nor an object")
    for kind, specs in kinds.items():
        if kind not in _RUN_EXPORTS:
            raise RunExportsMalformed(path, f"{shown(kind)!r} is no kind of run exports")
        if kind == "schema_version":
            continue
        if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
            raise RunExportsMalformed(path, f"{kind!r} is no list of match specifications")
