"""Real packages, made in memory: small, deterministic, and as hostile as a test needs.

Three floors, each usable on its own:

1. ``build_conda("alpha", "1.0")`` and ``build_tar_bz2("alpha", "1.0")`` give the bytes of a valid package that real
   clients install. Keywords change what a package says: ``depends``, ``subdir``, ``index`` (keys to add, or to drop
   with ``None``), ``info`` (files below ``info/`` to add, replace, or drop with ``None``), ``files`` (the payload).
2. ``info_files()`` and ``payload()`` give what goes into the archives as ``TarMember`` values; change, repeat or
   reorder them, then ``conda_archive()`` or ``tar_bz2_archive()`` wraps them.
3. ``tar_bytes()``, ``zstd()``, ``ZipMember`` with ``zip_bytes()``: archives by hand, with wrong checksums, sizes,
   flags, deflated members, gaps, prefixes and trailing bytes.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from tests.support.zipfiles import ZipMember, zip_bytes

#: Built in November 2023, in milliseconds: in the past for every test.
TIMESTAMP: Final = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member of a tar: a regular file unless ``kind`` (a typeflag of ``tarfile``) says otherwise."""

    path: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    pax: Mapping[str, str] = field(default_factory=dict)
    mode: int = 0o644


def filename(name: str, version: str = "1.0", build: str = "0", extension: str = "conda") -> str:
    return f"{name}-{version}-{build}.{extension}"


def index_json(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    build_number: int = 0,
    subdir: str = "noarch",
    depends: Sequence[str] = (),
    index: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an index.json as conda-build writes it; ``index`` adds keys, and drops those whose value is ``None``."""
    fields: dict[str, Any] = {
        "arch": None,
        "build": build,
        "build_number": build_number,
        "depends": list(depends),
        "license": "BSD-3-Clause",
        "name": name,
        "platform": None,
        "subdir": subdir,
        "timestamp": TIMESTAMP,
        "version": version,
    }
    if subdir == "noarch":
        fields["noarch"] = "generic"
    for key, value in (index or {}).items():
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = value
    return fields


def paths_json(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the paths.json of a payload of plain files (CEP 34)."""
    return {
        "paths": [
            {
                "_path": path,
                "path_type": "hardlink",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size_in_bytes": len(data),
            }
            for path, data in sorted(files.items())
        ],
        "paths_version": 1,
    }


def info_files(
    index: Mapping[str, Any],
    files: Mapping[str, bytes],
    info: Mapping[str, bytes | None] | None = None,
) -> list[TarMember]:
    """Return the members below ``info/``; ``info`` maps paths such as ``run_exports.json`` to bytes or ``None``."""
    contents: dict[str, bytes | None] = {
        "index.json": _json(index),
        "paths.json": _json(paths_json(files)),
        "about.json": _json(
            {"home": f"https://example.org/{index.get('name')}", "summary": "A test package"}
        ),
        "files": "".join(f"{path}\n" for path in sorted(files)).encode(),
        **(info or {}),
    }
    return [TarMember(f"info/{path}", data) for path, data in contents.items() if data is not None]


def default_files(name: str) -> dict[str, bytes]:
    """Return the payload of a package that was not given one: a file that no other package has."""
    return {f"share/{name}/greeting.txt": f"hello from {name}\n".encode()}


def payload(files: Mapping[str, bytes]) -> list[TarMember]:
    return [TarMember(path, data) for path, data in sorted(files.items())]


def build_conda(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    build_number: int = 0,
    subdir: str = "noarch",
    depends: Sequence[str] = (),
    index: Mapping[str, Any] | None = None,
    info: Mapping[str, bytes | None] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the bytes of a valid ``.conda`` package."""
    files = default_files(name) if files is None else files
    fields = index_json(
        name, version, build, build_number=build_number, subdir=subdir, depends=depends, index=index
    )
    return conda_archive(f"{name}-{version}-{build}", info_files(fields, files, info), payload(files))


def build_tar_bz2(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    build_number: int = 0,
    subdir: str = "noarch",
    depends: Sequence[str] = (),
    index: Mapping[str, Any] | None = None,
    info: Mapping[str, bytes | None] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the bytes of a valid ``.tar.bz2`` package."""
    files = default_files(name) if files is None else files
    fields = index_json(
        name, version, build, build_number=build_number, subdir=subdir, depends=depends, index=index
    )
    return tar_bz2_archive([*info_files(fields, files, info), *payload(files)])


def conda_archive(
    stem: str,
    info: Iterable[TarMember],
    pkg: Iterable[TarMember],
    metadata: bytes = b'{"conda_pkg_format_version": 2}',
) -> bytes:
    """Wrap members as a ``.conda`` file: a zip of stored parts (CEP 35)."""
    return zip_bytes(conda_parts(stem, zstd(tar_bytes(info)), zstd(tar_bytes(pkg)), metadata))


def conda_parts(
    stem: str, info: bytes, pkg: bytes, metadata: bytes = b'{"conda_pkg_format_version": 2}'
) -> list[ZipMember]:
    """Return the three zip members of a ``.conda`` file, from parts that are compressed already."""
    return [
        ZipMember("metadata.json", metadata),
        ZipMember(f"pkg-{stem}.tar.zst", pkg),
        ZipMember(f"info-{stem}.tar.zst", info),
    ]


def tar_bz2_archive(members: Iterable[TarMember]) -> bytes:
    """Wrap members as a ``.tar.bz2`` file."""
    return bz2.compress(tar_bytes(members), 9)


def tar_bytes(members: Iterable[TarMember], *, tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """Return an uncompressed tar with the members as they come, closed and padded."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as tar:
        for member in members:
            entry = tarfile.TarInfo(member.path)
            entry.type, entry.linkname, entry.mode = member.kind, member.target, member.mode
            entry.size, entry.pax_headers = len(member.data), dict(member.pax)
            tar.addfile(entry, io.BytesIO(member.data))
    return out.getvalue()


def zstd(data: bytes, level: int = 3) -> bytes:
    """Compress to exactly one frame with its content size, as the writers of packages do."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()
