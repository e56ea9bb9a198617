"""Reading ``info/`` out of a package, of either format, in one pass and with constant memory.

Of a ``.conda`` the zip directory, metadata.json and the info part are read, never the payload. A ``.tar.bz2`` is read
to its end: a later second ``info/index.json`` would win where the package is extracted, and it is refused here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO, Final

import orjson

from channeld.formats.archive.limits import Limits
from channeld.formats.archive.members import MemberRules
from channeld.formats.archive.rejections import PackageFormatUnknown, PackageTooLarge
from channeld.formats.archive.streams import Bzip2Source, Source, open_zstd_part, read_stored_part
from channeld.formats.archive.tar import Kind, TarReader
from channeld.formats.archive.tar_rejections import DocumentMissing, DocumentTooLarge
from channeld.formats.archive.usualinfo import usual_files
from channeld.formats.archive.usualzip import usual_parts
from channeld.formats.archive.zipdir import CondaParts, Part, find_parts
from channeld.formats.names import Extension, FileName, Naming
from channeld.formats.rejections import shown

INDEX: Final = "info/index.json"
PATHS: Final = "info/paths.json"
ABOUT: Final = "info/about.json"
RUN_EXPORTS_JSON: Final = "info/run_exports.json"
RUN_EXPORTS_YAML: Final = "info/run_exports.yaml"
#: Where a rendered recipe may be. The first one in the order of the archive counts, as for conda-index.
RECIPES: Final = ("info/recipe/meta.yaml.rendered", "info/recipe/meta.yaml", "info/meta.yaml")

_WANTED: Final = frozenset(
    path.encode() for path in (INDEX, PATHS, ABOUT, RUN_EXPORTS_JSON, RUN_EXPORTS_YAML, *RECIPES)
)

_PATHS: Final = PATHS.encode()

#: The files of ``info/`` that a server reads, by path, as they are, in the order of the archive.
InfoFiles = Mapping[str, bytes]


def read_info(
    file: BinaryIO, filename: FileName, naming: Naming = Naming.STRICT, limits: Limits | None = None
) -> InfoFiles:
    """Read the metadata of a package from a seekable file, and check the archive on the way.

    Raises:
        BadArchive: which of its subclasses says which rule is broken.
    """
    limits = limits or Limits()
    size = file.seek(0, 2)
    if size > limits.package_size:
        raise PackageTooLarge(size, limits.package_size)
    if filename.extension is Extension.CONDA:
        parts = _find_parts(file, size, filename.stem, limits)
        _check_metadata(file, parts.metadata, limits)
        contents = _read_info_part(open_zstd_part(file, parts.info, limits), parts.info.name, naming, limits)
    else:
        file.seek(0)
        reader = TarReader(Bzip2Source(file, size, limits), "package")
        contents = _collect(reader, MemberRules(limits, naming, info_only=False), limits)
    # CEP 34 requires both; packages from before paths.json list their files elsewhere.
    for path in (INDEX, PATHS) if naming is Naming.STRICT else (INDEX,):
        if path not in contents:
            raise DocumentMissing(path)
    return contents


def _find_parts(file: BinaryIO, size: int, stem: str, limits: Limits) -> CondaParts:
    usual = usual_parts(file.getvalue(), stem, limits) if isinstance(file, io.BytesIO) else None
    return usual or find_parts(file, size, stem, limits)


def _read_info_part(source: Source, part: str, naming: Naming, limits: Limits) -> dict[str, bytes]:
    if isinstance(source, io.BytesIO):
        usual = usual_files(source.getvalue(), _WANTED, limits)
        if usual is not None and all(len(data) <= _limit(path, limits) for path, data in usual.items()):
            return {path.decode(): data for path, data in usual.items()}
    return _collect(TarReader(source, part), MemberRules(limits, naming, info_only=True), limits)


def _limit(path: bytes, limits: Limits) -> int:
    return limits.document_size if path == _PATHS else limits.small_document_size


def _check_metadata(file: BinaryIO, part: Part, limits: Limits) -> None:
    """Require version 2 of the package format (CEP 35, "metadata.json")."""
    data = read_stored_part(file, part, limits.directory_size)
    try:
        version = orjson.loads(data)["conda_pkg_format_version"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        version = None
    if type(version) is not int or version != 2:
        raise PackageFormatUnknown(shown(data.decode("utf-8", "backslashreplace")))


def _collect(reader: TarReader, rules: MemberRules, limits: Limits) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for member in reader.members():
        path = rules.check(member)
        if member.kind is Kind.FILE and path in _WANTED:
            limit = _limit(path, limits)
            if member.size > limit:
                raise DocumentTooLarge(path.decode(), member.size, limit)
            contents[path.decode()] = reader.read(member)
    return contents
