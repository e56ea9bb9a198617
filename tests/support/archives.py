"""Inspecting packages that a test has just made."""

from __future__ import annotations

import bz2
import io
from collections.abc import Iterable

from channeld.formats.archive.inspection import Inspection, inspect_archive
from channeld.formats.archive.limits import Limits
from channeld.formats.names import FileName, Naming
from tests.support import tarfiles
from tests.support.packages import (
    TarMember,
    conda_archive,
    conda_parts,
    default_files,
    index_json,
    info_files,
    payload,
    tar_bytes,
    tar_bz2_archive,
    zstd,
)
from tests.support.zipfiles import ZipMember, ZipTail, zip_bytes

STEM = "alpha-1.0-0"
CONDA = f"{STEM}.conda"
TAR_BZ2 = f"{STEM}.tar.bz2"

#: The members of a good package called alpha.
INFO = info_files(index_json("alpha"), default_files("alpha"))
PAYLOAD = payload(default_files("alpha"))


def inspect(data: bytes, filename: str = CONDA, naming: Naming = Naming.STRICT, **limits: int) -> Inspection:
    """Inspect a package; ``limits`` are fields of ``Limits``."""
    return inspect_archive(io.BytesIO(data), FileName.parse(filename, naming), naming, Limits(**limits))


def conda(*info: TarMember) -> bytes:
    """Return alpha as a ``.conda`` with more members in its info part."""
    return conda_archive(STEM, [*INFO, *info], PAYLOAD)


def tar_bz2(*members: TarMember) -> bytes:
    """Return alpha as a ``.tar.bz2`` with more members at its end."""
    return tar_bz2_archive([*INFO, *PAYLOAD, *members])


def conda_zip(
    change: Iterable[tuple[str, ZipMember]] = (), tail: ZipTail | None = None, extra: Iterable[ZipMember] = ()
) -> bytes:
    """Return alpha as a ``.conda`` whose zip members of certain names are replaced, with others behind them."""
    replaced = dict(change)
    members = [replaced.get(str(part.name), part) for part in parts()]
    return zip_bytes([*members, *extra], tail)


def parts() -> list[ZipMember]:
    """Return the zip members of alpha: metadata.json, pkg, info."""
    return conda_parts(STEM, zstd(tar_bytes(INFO)), zstd(tar_bytes(PAYLOAD)))


def conda_of_info(info_part: bytes) -> bytes:
    """Return alpha as a ``.conda`` around any bytes as its info part."""
    return zip_bytes(conda_parts(STEM, info_part, zstd(tar_bytes(PAYLOAD))))


def conda_of_tar(*blocks: bytes, end: bytes = tarfiles.END) -> bytes:
    """Return alpha as a ``.conda`` whose info part is a tar of the good members and then these raw blocks."""
    return conda_of_info(zstd(tar_of(INFO) + b"".join(blocks) + end))


def tar_bz2_of_tar(*blocks: bytes, end: bytes = tarfiles.END) -> bytes:
    """Return alpha as a ``.tar.bz2`` of the good members and then these raw blocks."""
    return bz2.compress(tar_of([*INFO, *PAYLOAD]) + b"".join(blocks) + end)


def tar_of(members: Iterable[TarMember]) -> bytes:
    """Return the members as plain ustar, without an end mark."""
    return b"".join(tarfiles.member(member.path, member.data) for member in members)
