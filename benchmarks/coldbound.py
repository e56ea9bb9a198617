"""What indexing a folder of packages takes in C libraries alone: a program that has hardly anything but calls of them.

It makes the larger files that ``channeld index`` makes (repodata.json, plain and as a frame, shards, the lines of
channeldata.json, and what is remembered of each package), and takes every short cut there is: it takes all packages to
be as this benchmark made them (``packagefolder``), judges nothing, finds a document by its name in the bytes of the
tar, and has no pages, summaries, progress, resumption or durability. Workers read and draw, the first process stores,
as there. What a real program takes beyond it is its judgement and its Python.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgpack
import orjson
import rattler  # noqa: F401 - whoever judges a dependency has to load it
import zstandard

_LEVEL: Final = 9
_SHARD_LEVEL: Final = 6
_PAGE: Final = 512
_FILES: Final = 64
#: Name, file name, record, facts.
Row = tuple[str, str, bytes, bytes]

_decompressor: Final = zstandard.ZstdDecompressor()


def read(part: Sequence[tuple[str, str, int]]) -> list[Row]:
    """Read some files: folder, name, size."""
    return [_read(*one) for one in part]


def _read(folder: str, filename: str, size: int) -> Row:
    descriptor = os.open(f"{folder}/{filename}", os.O_RDONLY | os.O_CLOEXEC)
    data = os.read(descriptor, size)
    os.fstat(descriptor)
    os.close(descriptor)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(data).hexdigest()
    start = data.rindex(b"\x28\xb5\x2f\xfd")  # the info part is the last one
    info = _decompressor.decompress(data[start : data.index(b"PK\x01\x02", start)])
    record = orjson.loads(_document(info, b"info/index.json\0"))
    record.update(md5=md5, sha256=sha256, size=size)
    about = orjson.loads(_document(info, b"info/about.json\0"))
    facts = {
        field: about[field] for field in ("description", "dev_url", "doc_url", "home", "license", "summary")
    }
    return record["name"], filename, orjson.dumps(record, option=orjson.OPT_SORT_KEYS), orjson.dumps(facts)


def _document(tar: bytes, path: bytes) -> bytes:
    header = tar.index(path)
    while tar[header + 156 : header + 157] != b"0":  # not in a list of paths
        header = tar.index(path, header + 1)
    return tar[header + 512 : header + 512 + int(tar[header + 124 : header + 135], 8)]


def draw_records(folder: str, state: str) -> None:
    """Write repodata.json in both forms."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    rows = _rows(state, folder)
    with open(f"{folder}/repodata.json", "wb") as plain, open(f"{folder}/repodata.json.zst", "wb") as frame:  # noqa: PTH123
        for start in range(0, len(rows), _PAGE):
            page = b",\n".join(b'"%b":%b' % (row[1].encode(), row[2]) for row in rows[start : start + _PAGE])
            hashlib.sha256(page).digest()
            plain.write(page)
            frame.write(compressor.compress(page))


def draw_names(folder: str, state: str) -> None:
    """Write the shards and the entries of channeldata.json."""
    compressor = zstandard.ZstdCompressor(level=_SHARD_LEVEL)
    os.mkdir(f"{folder}/shards")  # noqa: PTH102
    entries = []
    for name, rows in groupby(_rows(state, folder), key=lambda row: row[0]):
        files = list(rows)
        data = compressor.compress(msgpack.packb({row[1]: orjson.loads(row[2]) for row in files}))
        with open(f"{folder}/shards/{hashlib.sha256(data).hexdigest()}", "xb", buffering=0) as file:  # noqa: PTH123
            file.write(data)
        entries.append(orjson.dumps({name: orjson.loads(files[-1][3])}))
    Path(f"{folder}/channeldata.json").write_bytes(b",\n".join(entries))


def _rows(state: str, folder: str) -> list[Row]:
    connection = sqlite3.connect(state)
    query = "SELECT name, filename, record, facts FROM packages WHERE folder = ? ORDER BY name, filename"
    rows = connection.execute(query, (folder,)).fetchall()
    connection.close()
    return rows


def main(folder: Path) -> None:
    """Index a folder."""
    files = [
        (entry.name, item.name, item.stat().st_size)
        for entry in os.scandir(folder)
        for item in os.scandir(entry.path)
    ]
    parts = [files[start : start + _FILES] for start in range(0, len(files), _FILES)]
    jobs = [[(f"{folder}/{subdir}", name, size) for subdir, name, size in part] for part in parts]
    state = str(folder / "state.sqlite")
    with get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        store(state, zip(jobs, pool.imap(read, jobs), strict=True))
        folders = sorted({job[0][0] for job in jobs})
        drawn: list[Any] = [
            pool.apply_async(draw, (where, state)) for draw in (draw_names, draw_records) for where in folders
        ]
        for one in drawn:
            one.get()


def store(state: str, results: Iterable[tuple[Sequence[tuple[str, str, int]], list[Row]]]) -> None:
    """Remember what was read."""
    connection = sqlite3.connect(state)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE packages (folder, name, filename, record, facts, PRIMARY KEY (folder, filename))"
    )
    for job, rows in results:
        connection.executemany(
            "INSERT INTO packages VALUES (?, ?, ?, ?, ?)",
            [(folder, *row) for (folder, _, _), row in zip(job, rows, strict=True)],
        )
    connection.commit()
    connection.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(
            "Name a folder that benchmarks.packagefolder made: this is one of the contenders of benchmarks.cold."
        )
    main(Path(sys.argv[1]))
