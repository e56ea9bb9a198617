"""How much of a package's archive is read before it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20
GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a package file. The defaults leave every package of conda-forge room, and a hostile one little."""

    #: The package file, in bytes. The largest of conda-forge are near 5 GiB (CUDA, PyTorch with debug symbols).
    package_size: int = 16 * GIB
    #: All of ``info/`` uncompressed, in bytes: licences, recipes and test files, hundreds of MiB in the worst.
    info_size: int = 512 * MIB
    #: The whole of a ``.tar.bz2`` uncompressed, in bytes. (Of a ``.conda`` only ``info/`` is uncompressed here.)
    tar_size: int = 64 * GIB
    #: Uncompressed bytes for one compressed byte, once more than ``ratio_floor`` has come out. Text reaches 30.
    ratio: int = 400
    #: Uncompressed bytes that any stream may yield whatever its ratio: small files of zeros are no attack.
    ratio_floor: int = 32 * MIB
    #: Members of one tar. Each costs about 100 bytes of memory while the archive is read.
    entries: int = 300_000
    #: Length of a member's path or link target, in bytes: what Linux allows for a whole path.
    path_length: int = 4096
    #: Parts of a member's path.
    path_depth: int = 64
    #: One metadata file that is kept, in bytes: paths.json, which has 150 to 500 for each file of the package.
    #: The others that are read have to be below ``small_document_size``; real ones are below 1 MiB.
    document_size: int = 64 * MIB
    small_document_size: int = 4 * MIB
    #: The zip directory of a ``.conda``, in bytes: three members take 300.
    directory_size: int = 4096
    #: The memory that a zstd stream may ask for, in bytes: what every client allows (2 ** 27).
    window_size: int = 128 * MIB
