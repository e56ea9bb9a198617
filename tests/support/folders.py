"""Channel folders for the cold paths: packages in subdirs, and what an index of them says."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from channeld.cold.index import IndexOptions, index_folder
from channeld.cold.progress import Silent
from channeld.cold.report import Report
from channeld.cold.workers import Workers
from channeld.formats.shard import decode_shard, decode_shard_index
from tests.support.clock import ManualClock
from tests.support.packages import build_conda, build_tar_bz2

#: November 2026, in ms: after every package that tests make.
NOW = 1_795_000_000_000
#: An hour before, in ns: files of that age are told from changed ones by their time alone.
EARLIER_NS = (NOW - 3_600_000) * 1_000_000


def put(
    folder: Path, filename: str, data: bytes, subdir: str = "noarch", *, mtime_ns: int = EARLIER_NS
) -> Path:
    """Put a package into a channel folder, as if it had been there for an hour."""
    path = folder / subdir / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def put_conda(folder: Path, name: str, version: str = "1.0", subdir: str = "noarch", **more: Any) -> Path:
    """Put a ``.conda`` package into a channel folder."""
    return put(folder, f"{name}-{version}-0.conda", build_conda(name, version, subdir=subdir, **more), subdir)


def put_tar_bz2(folder: Path, name: str, version: str = "1.0", subdir: str = "noarch", **more: Any) -> Path:
    """Put a ``.tar.bz2`` package into a channel folder."""
    data = build_tar_bz2(name, version, subdir=subdir, **more)
    return put(folder, f"{name}-{version}-0.tar.bz2", data, subdir)


def index(folder: Path, *, now_ms: int = NOW, processes: int = 0, **options: Any) -> Report:
    """Index a folder, in this process unless ``processes`` says otherwise."""
    workers = Workers(processes)
    try:
        return index_folder(folder, IndexOptions(**options), workers, ManualClock(now_ms), Silent())
    finally:
        workers.close()


def make_unreadable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have folders of one name be listed by nobody, whoever runs the tests."""
    listing = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)


def repodata(folder: Path, subdir: str = "noarch", name: str = "repodata.json") -> dict[str, Any]:
    """Read a document of a subdir."""
    document: dict[str, Any] = orjson.loads((folder / subdir / name).read_bytes())
    return document


def filenames(folder: Path, subdir: str = "noarch") -> list[str]:
    """List the files in a subdir's repodata.json."""
    document = repodata(folder, subdir)
    return [*document["packages"], *document["packages.conda"]]


def decompressed(path: Path) -> bytes:
    """Decompress a ``.zst`` file that is one frame."""
    return zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj().decompress(path.read_bytes())


def shards(folder: Path, subdir: str = "noarch") -> dict[str, dict[str, dict[str, Any]]]:
    """Read all shards that the index of a subdir lists: package name → section → file → record."""
    index_file = decode_shard_index((folder / subdir / "repodata_shards.msgpack.zst").read_bytes())
    place = folder / subdir / index_file.info["shards_base_url"]
    return {
        name: decode_shard((place / f"{digest.hex()}.msgpack.zst").read_bytes()).sections
        for name, digest in index_file.shards.items()
    }


def contents(folder: Path) -> Mapping[str, bytes]:
    """Return every file of an index by its path, but for packages and state."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".channeld" not in path.parts and not _is_package(path.name)
    }


def _is_package(name: str) -> bool:
    return name.endswith((".conda", ".tar.bz2"))


def leftovers(folder: Path) -> Iterable[str]:
    """List the temporary files below a folder."""
    return [str(path) for path in folder.rglob("*.tmp")]
