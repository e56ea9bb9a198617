"""current_repodata.json of a subdir, drawn while the packages stream by, name by name (``formats.current``)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from channeld.cold import packages
from channeld.cold.packages import Package
from channeld.formats.current import CURRENT_SECTIONS, Current, Group, current_record, group_by_name, select
from channeld.formats.layout import canonical_json, entry
from channeld.formats.repodata import RepodataInfo, repodata_layout

#: A file, and its record taken apart.
Parsed = tuple[Package, dict[str, Any]]


class CurrentDocument:
    """Keeps the entries that may stand in the document; the few others that do in the end are read again."""

    def __init__(self, connection: sqlite3.Connection, subdir: str) -> None:
        self._connection = connection
        self._subdir = subdir
        self._currents: dict[str, Current] = {}
        self._entries: dict[str, dict[str, bytes]] = {section: {} for section in CURRENT_SECTIONS}

    def take(self, name: str, files: Sequence[Parsed]) -> None:
        """Take all files of a package name."""
        group = _group(name, files)
        if group is None:
            return
        self._currents[name] = current = group.current()
        self._keep(files, {*current.files, current.plain or ""})

    def _keep(self, files: Iterable[Parsed], kept: set[str]) -> None:
        """Write the entries of some files of a name, given all of them."""
        twins = {file.filename: record for file, record in files if file.section == CURRENT_SECTIONS[0]}
        for file, record in files:
            if file.filename in kept and file.section in self._entries:
                twin = twins.get(file.filename.removesuffix(".conda") + ".tar.bz2") if twins else None
                text = canonical_json(current_record(record, twin)) if twin else file.record
                self._entries[file.section][file.filename] = entry(file.filename, text)

    def finish(self) -> bytes:
        """Return the document."""
        again: dict[str, list[Parsed]] = {}

        def group(name: str) -> Group:
            files = packages.listed(self._connection, self._subdir, CURRENT_SECTIONS, name)
            again[name] = [(file, orjson.loads(file.record)) for file in files if file.name == name]
            found = _group(name, again[name])
            assert found is not None
            return found

        kept = select(self._currents, group)
        for files in again.values():
            self._keep(files, kept)
        entries = {
            section: [found[filename] for filename in sorted(found.keys() & kept)]
            for section, found in self._entries.items()
        }
        return repodata_layout(RepodataInfo(self._subdir)).assemble(entries)


def _group(name: str, files: Iterable[Parsed]) -> Group | None:
    """Put the classic files of a name together; None when it has none."""
    sections: dict[str, list[tuple[str, dict[str, Any]]]] = {section: [] for section in CURRENT_SECTIONS}
    for file, record in files:
        if file.section in sections:
            sections[file.section].append((file.filename, record))
    return group_by_name(sections).get(name)
