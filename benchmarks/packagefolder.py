"""Folders of packages to be indexed: valid archives of real size and shape, made from records.

Names, versions, builds, dependencies and licences are those of the real records in ``CHANNELD_TEST_DATA`` (without it,
of made-up ones); what stands in ``info/`` has the number, sizes and kinds of files that conda-build writes. The
payload is noise: it is there to be read and hashed. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
import os
import random
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import zstandard

Record = Mapping[str, Any]

#: Bytes of a package file, about: the median of conda-forge.
PACKAGE_SIZE: Final = 60_000
SUBDIRS: Final = ("linux-64", "noarch", "osx-arm64", "win-64", "osx-64", "linux-aarch64")
_REAL: Final = Path("repodata", "derived-from-lockfiles", "conda-forge")
_TIMESTAMP: Final = 1_700_000_000_000
_EXTENSION: Final = ".conda"
_NOISE: Final = random.Random(1).randbytes(4 << 20)


def make_folder(folder: Path, count: int, size: int = PACKAGE_SIZE) -> int:
    """Make a channel folder with ``count`` packages of about ``size`` bytes; returns the bytes of all of them."""
    chosen = list(islice(records(), count))
    for subdir in {record["subdir"] for record in chosen}:
        (folder / subdir).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        parts = [chosen[start : start + 250] for start in range(0, count, 250)]
        return sum(pool.map(_make_some, parts, [folder] * len(parts), [size] * len(parts)))


def _make_some(chosen: list[Record], folder: Path, size: int) -> int:
    total = 0
    for record in chosen:
        data = package(record, size)
        (folder / record["subdir"] / f"{_stem(record)}{_EXTENSION}").write_bytes(data)
        total += len(data)
    return total


def records() -> Iterator[Record]:
    """Yield records of distinct files: the real ones first, then made-up ones without end."""
    data = os.environ.get("CHANNELD_TEST_DATA")
    for subdir in SUBDIRS if data else ():
        document = orjson.loads((Path(data or "") / _REAL / subdir / "repodata.json").read_bytes())
        yield from (document["packages.conda"][name] for name in sorted(document["packages.conda"]))
    yield from _made_up()


def _made_up() -> Iterator[Record]:
    number = 0
    while True:
        name, release = f"made-up-{number // 12}", number % 12
        yield {
            "build": "h0123456_0",
            "build_number": 0,
            "depends": ["python >=3.10,<3.13.0a0", "libgcc >=13", f"made-up-{number // 24} >=1.{release}"],
            "license": "MIT",
            "name": name,
            "subdir": SUBDIRS[number // 12 % 2],
            "timestamp": _TIMESTAMP + number,
            "version": f"1.{release}.0",
        }
        number += 1


def package(record: Record, size: int = PACKAGE_SIZE) -> bytes:
    """Return a ``.conda`` file for a record, of about ``size`` bytes."""
    stem = _stem(record)
    # of real ones, one half has GNU's headers, the other half pax headers with the times of the files
    form = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)[len(stem) % 2]
    info = _zstd(_tar(_info(record), form))
    rest = max(0, size - len(info) - 600)
    start = random.Random(stem).randrange(len(_NOISE) - rest)
    payload = _zstd(_tar({f"lib/{record['name']}/data.bin": _NOISE[start : start + rest]}, form))
    return _zip({
        "metadata.json": b'{"conda_pkg_format_version": 2}',
        f"pkg-{stem}.tar.zst": payload,
        f"info-{stem}.tar.zst": info,
    })  # fmt: skip


def _stem(record: Record) -> str:
    return f"{record['name']}-{record['version']}-{record['build']}"


def _info(record: Record) -> dict[str, bytes]:
    """Return the files below ``info/``, as many and as long as conda-build writes."""
    name, version = record["name"], record["version"]
    kept = ("build", "build_number", "constrains", "depends", "license", "license_family", "name", "noarch")
    index = {
        field: record[field] for field in (*kept, "subdir", "track_features", "version") if field in record
    }
    system, _, machine = record["subdir"].partition("-")
    index |= {"arch": machine or None, "platform": system if machine else None}
    index["timestamp"] = record.get("timestamp") or _TIMESTAMP
    paths = [f"lib/{name}/data.bin", *(f"lib/{name}/module_{number}.py" for number in range(40))]
    entry = {"path_type": "hardlink", "sha256": "ab" * 32, "size_in_bytes": 1000}
    about = {
        "channels": ["https://conda.anaconda.org/conda-forge"],
        "conda_version": "24.9.2",
        "description": f"{name} does what it is for. " * 8,
        "dev_url": f"https://github.com/example/{name}",
        "doc_url": f"https://{name}.readthedocs.io",
        "extra": {"copy_test_source_files": True, "recipe-maintainers": ["somebody", "somebody-else"]},
        "home": f"https://example.org/{name}",
        "license": record.get("license", "MIT"),
        "root_pkgs": [f"package-{number} 1.{number} h0123456_0" for number in range(120)],
        "summary": f"What {name} is for, in one line",
    }
    recipe = (
        f"package:\n  name: {name}\n  version: '{version}'\nsource:\n"
        f"  url: https://pypi.org/packages/source/{name}-{version}.tar.gz\n  sha256: {'cd' * 32}\n"
        "build:\n  number: 0\n  script: python -m pip install . -vv\nrequirements:\n  host:\n"
        + "".join(f"    - package-{number} 1.{number}\n" for number in range(60))
    )
    files: dict[str, bytes] = {
        "info/hash_input.json": b'{"c_compiler_version": "13", "target_platform": "linux-64"}',
        "info/index.json": orjson.dumps(index, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
        "info/files": "\n".join(paths).encode(),
        "info/paths.json": orjson.dumps(
            {"paths": [{"_path": path, **entry} for path in paths], "paths_version": 1},
            option=orjson.OPT_INDENT_2,
        ),
        "info/recipe/conda_build_config.yaml": recipe.encode(),
        "info/recipe/meta.yaml": recipe.encode(),
        "info/recipe/meta.yaml.template": recipe.encode(),
        "info/about.json": orjson.dumps(about, option=orjson.OPT_INDENT_2),
        "info/git": b"",
        "info/licenses/LICENSE": b"Permission is hereby granted, free of charge, to any person\n" * 18,
        "info/test/run_test.sh": b"set -ex\npip check\nexit 0\n",
    }
    if record["name"].startswith("lib"):
        run_exports = {"weak": [f"{name} >={version}"]}
        files["info/run_exports.json"] = orjson.dumps(run_exports)
    return files


def _tar(files: Mapping[str, bytes], form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            entry.mtime = _TIMESTAMP / 1000 + 0.25 if form == tarfile.PAX_FORMAT else _TIMESTAMP // 1000
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=6).compress(data)


def _zip(members: Mapping[str, bytes]) -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20)), data)
    return out.getvalue()
