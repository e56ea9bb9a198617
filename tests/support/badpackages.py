"""One upload for each rule of the formats that an upload can break, by the code of the rule.

All are about alpha 1.0, unless the name is what is wrong. The limits of a server that refuses them are ``LIMITS``.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from tarfile import CHRTYPE, GNUTYPE_SPARSE, SYMTYPE
from typing import Any, Final

import zstandard

from tests.support.archives import (
    CONDA,
    INFO,
    PAYLOAD,
    STEM,
    TAR_BZ2,
    conda,
    conda_of_info,
    conda_of_tar,
    conda_zip,
    parts,
    tar_bz2,
    tar_of,
)
from tests.support.packages import TarMember, build_conda, conda_archive, tar_bytes, zstd
from tests.support.tarfiles import END, header, member, pax
from tests.support.zipfiles import DEFLATED, ZipMember, ZipTail, zip_bytes

#: Keys of ``settings.limits``: small enough that a test can go beyond them.
LIMITS: Final = {
    "archive_entries": 1000,
    "archive_small_document_bytes": 1024 * 1024,
    "archive_tar_bytes": 1024 * 1024,
    "archive_info_bytes": 48 * 1024 * 1024,
}


@dataclass(frozen=True, slots=True)
class BadPackage:
    """A file that must not come in."""

    data: bytes
    filename: str = CONDA
    status: int = 422


def _zip(which: int, **fields: Any) -> bytes:
    members = parts()
    members[which] = dataclasses.replace(members[which], **fields)
    return zip_bytes(members)


def _index(**changes: Any) -> BadPackage:
    return BadPackage(build_conda("alpha", index=changes))


def _info(path: str, data: bytes | None) -> BadPackage:
    return BadPackage(build_conda("alpha", info={path: data}))


def _window() -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(tar_bytes(INFO)) + compressor.flush()


def _bomb() -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    size = 40 * 1024 * 1024
    head = tar_of(INFO) + header("info/zeros", size)
    chunks = (head, *(bytes(1024 * 1024) for _ in range(40)), END)
    return b"".join((*map(compressor.compress, chunks), compressor.flush()))


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def _noise(count: int) -> bytes:
    return random.Random(1).randbytes(count)


NAMES: Final = {
    "identifier_too_long": BadPackage(b"x", "alpha-1.0-" + "h" * 65 + ".conda"),
    "package_name_malformed": BadPackage(b"x", "Alpha-1.0-0.conda"),
    "package_name_virtual": BadPackage(b"x", "__alpha-1.0-0.conda"),
    "version_malformed": BadPackage(b"x", "alpha-1.0!-0.conda"),
    "build_malformed": BadPackage(b"x", "alpha-1.0-h~1.conda"),
    "extension_unknown": BadPackage(b"x", "alpha-1.0-0.zip"),
    "file_name_malformed": BadPackage(b"x", "alpha-1.0.conda"),
}

ARCHIVES: Final = {
    "not_a_zip": BadPackage(b"no package"),
    "zip_trailing_bytes": BadPackage(build_conda("alpha") + b"x"),
    "zip_directory_malformed": BadPackage(conda_zip(tail=ZipTail(count=4))),
    "zip_headers_disagree": BadPackage(_zip(2, local_crc=1)),
    "zip_parts_not_adjacent": BadPackage(conda_zip(tail=ZipTail(prefix=b"#!/bin/sh\n"))),
    "part_compressed": BadPackage(_zip(2, method=DEFLATED)),
    "part_flagged": BadPackage(_zip(2, flags=1)),
    "part_duplicated": BadPackage(zip_bytes([*parts(), parts()[2]])),
    "part_missing": BadPackage(zip_bytes(parts()[:2])),
    "part_unexpected": BadPackage(conda_zip(extra=[ZipMember("evil.txt", b"x")])),
    "part_name_mismatch": BadPackage(build_conda("beta")),
    "part_checksum_mismatch": BadPackage(_zip(2, crc=1)),
    "package_format_unknown": BadPackage(conda_archive(STEM, INFO, PAYLOAD, b"{}")),
    "stream_corrupt": BadPackage(conda_of_info(tar_bytes(INFO))),
    "stream_truncated": BadPackage(conda_of_tar(end=b"")),
    "stream_not_single": BadPackage(conda_of_info(zstd(tar_bytes(INFO)) + b"x")),
    "stream_window_too_large": BadPackage(conda_of_info(_window())),
    "compression_bomb": BadPackage(conda_of_info(_bomb())),
    "stream_too_large": BadPackage(tar_bz2(TarMember("share/noise", _noise(1024 * 1024))), TAR_BZ2),
    "tar_header_corrupt": BadPackage(conda_of_tar(bytes(512), member("info/x"))),
    "tar_unsupported": BadPackage(tar_bz2(TarMember("lib/x", kind=GNUTYPE_SPARSE)), TAR_BZ2),
    "tar_sizes_disagree": BadPackage(conda_of_tar(pax(("size", "3")), member("info/x", b"abcd"))),
    "tar_trailing_bytes": BadPackage(conda_of_tar(end=END + b"x")),
    "too_many_members": BadPackage(conda(*(TarMember(f"info/licenses/{n}") for n in range(1000)))),
    "member_path_too_long": BadPackage(conda(TarMember("info/" + "x" * 4096))),
    "member_path_too_deep": BadPackage(conda(TarMember("info/" + "x/" * 64 + "x"))),
    "member_path_unsafe": BadPackage(tar_bz2(TarMember("../evil")), TAR_BZ2),
    "member_duplicate": BadPackage(conda(TarMember("info/index.json", b"{}"))),
    "member_is_device": BadPackage(tar_bz2(TarMember("dev/x", kind=CHRTYPE)), TAR_BZ2),
    "member_is_link": BadPackage(conda(TarMember("info/x", kind=SYMTYPE, target="index.json"))),
    "member_beneath_link": BadPackage(
        tar_bz2(TarMember("x", kind=SYMTYPE, target="share"), TarMember("x/y")), TAR_BZ2
    ),
    "member_outside_info": BadPackage(conda(TarMember("bin/x"))),
    "member_misspelt": BadPackage(conda(TarMember("info/INDEX.json"))),
    "member_reserved": BadPackage(conda(TarMember("info/repodata_record.json", b"{}"))),
    "document_too_large": _info("about.json", b"{" + b" " * 1024 * 1024 + b"}"),
    "document_missing": _info("index.json", None),
}

METADATA: Final = {
    "document_malformed": _info("index.json", b"{"),
    "field_missing": _index(name=None),
    "field_mistyped": _index(build_number="0"),
    "file_name_mismatch": _index(version="2.0"),
    "noarch_unknown": _index(noarch="java"),
    "subdir_malformed": _index(subdir="../evil", noarch=None),
    "timestamp_in_future": _index(timestamp=4_000_000_000_000),
    "dependency_malformed": _index(depends=["a >>>1"]),
    "dependency_not_allowed": _index(schema_version=3, depends=["a[license=MIT]"]),
    "schema_version_unknown": _index(schema_version=99),
    "extra_group_malformed": _index(extra_depends={"A B": ["x"]}),
    "flag_malformed": _index(flags=["A B"]),
    "record_too_large": _index(anything="x" * 900_000),
    "record_not_json": _index(anything=_nested(500)),
    "run_exports_malformed": _info("run_exports.json", b'"x"'),
}

ALL: Final = {**NAMES, **ARCHIVES, **METADATA}
