"""Records out of a published repodata.json, one at a time: a document of half a million is never in memory.

A frame is decompressed as it is read, and an entry stands on one line (``formats.layout``). From one pass over the
records come what index.html lists and what current_repodata.json is chosen from; a second one collects the chosen.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import zstandard

from channeld.formats.current import CURRENT_SECTIONS, current_record, current_repodata
from channeld.formats.layout import canonical_json, entry
from channeld.formats.repodata import RepodataInfo, repodata_layout

_SECTIONS: Final = {
    b'"packages":{': "packages",
    b'"packages.conda":{': "packages.conda",
    b'"v3":{"conda":{': "v3.conda",
    b'"tar.bz2":{': "v3.tar.bz2",
    b'"removed":[': "",
}
_PIECE: Final = 256 * 1024

#: The section of an entry, and its line without what stands around it.
Line = tuple[str, bytes]


def decompressed(frame: Path) -> Iterator[bytes]:
    """Yield the plain document of a frame, in pieces."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    with frame.open("rb") as file:
        yield from decompressor.read_to_iter(file, read_size=_PIECE, write_size=_PIECE)


def lines(frame: Path) -> Iterator[Line]:
    """Yield the section and the text of each record."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    with frame.open("rb") as file, decompressor.stream_reader(file, read_size=_PIECE) as plain:
        section = ""
        for raw in io.BufferedReader(plain, _PIECE):
            line = raw.strip(b" ,\n")
            if line in _SECTIONS:
                section = _SECTIONS[line]
            elif section and line[:1] == b'"':
                yield section, line


def parse(section: str, line: bytes) -> tuple[str, dict[str, Any]]:
    """Return file name and record of a line."""
    end = line.index(b'":')
    extension = section[2:] if section.startswith("v3") else ""
    return line[1:end].decode() + extension, orjson.loads(line[end + 2 :])


def current_document(subdir: str, frame: Path, kept: set[str]) -> bytes:
    """Write current_repodata.json: the lines of the files that are kept."""
    entries: dict[str, list[bytes]] = {section: [] for section in CURRENT_SECTIONS}
    twins = {_twin_of(name) for name in kept}
    tar_bz2: dict[str, dict[str, Any]] = {}
    for section, line in lines(frame):
        name = line[1 : line.index(b'":')].decode()
        if section == "packages" and name in twins:
            tar_bz2[name] = parse(section, line)[1]
        if name in kept and section in entries:
            twin = tar_bz2.get(_twin_of(name))
            entries[section].append(_with_twin(section, line, twin) if twin else line)
    return repodata_layout(RepodataInfo(subdir)).assemble(entries)


def _twin_of(name: str) -> str:
    return name.removesuffix(".conda") + ".tar.bz2" if name.endswith(".conda") else ""


def _with_twin(section: str, line: bytes, twin: dict[str, Any]) -> bytes:
    name, record = parse(section, line)
    return entry(name, canonical_json(current_record(record, twin)))


def choose_current(records: Iterator[tuple[str, dict[str, Any]]]) -> set[str]:
    """Choose the files of current_repodata.json, given name and record of all classic ones."""
    return current_repodata({"packages": records})
