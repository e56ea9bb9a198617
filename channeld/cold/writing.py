"""What worker processes write of a static channel: each job some files, under the temporary names that it is given."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channeld.cold import htmlpages, records
from channeld.cold.htmlpages import ListedFile
from channeld.formats.current import CURRENT_SECTIONS
from channeld.formats.timestamps import milliseconds
from channeld.indexing.packs import Packs
from channeld.indexing.pagetable import Place


@dataclass(frozen=True, slots=True)
class WritePlain:
    """The plain form of a document that is there as a frame."""

    frame: Path
    target: str

    def __call__(self) -> None:
        with open(self.target, "xb") as file:  # noqa: PTH123
            file.writelines(records.decompressed(self.frame))


@dataclass(frozen=True, slots=True)
class WriteDerived:
    """What is drawn from the records of a subdir: current_repodata.json and index.html; "" for one that is not due."""

    frame: Path
    subdir: str
    title: str
    documents: tuple[str, ...]
    current: str
    page: str

    def __call__(self) -> None:
        page = _Page()
        if self.current:
            kept = records.choose_current(self._classic(page))
            _write(self.current, records.current_document(self.subdir, self.frame, kept))
        else:
            deque(self._classic(page), maxlen=0)
        if self.page:
            files = sorted(page.files, key=lambda file: file.filename)[: htmlpages.MOST_FILES]
            data = htmlpages.subdir_page(self.title, self.subdir, self.documents, files, page.total)
            _write(self.page, data)

    def _classic(self, page: _Page) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the classic records, and note all of them for the page by the way."""
        for section, line in records.lines(self.frame):
            filename, record = records.parse(section, line)
            page.take(section, filename, record)
            if section in CURRENT_SECTIONS:
                yield filename, record


@dataclass(slots=True)
class _Page:
    """The files that index.html may list, and how many there are. Those of a section come in order."""

    files: list[ListedFile] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts.total()

    def take(self, section: str, filename: str, record: dict[str, Any]) -> None:
        self.counts[section] += 1
        if self.counts[section] <= htmlpages.MOST_FILES:
            timestamp = milliseconds(record.get("timestamp"))
            self.files.append(ListedFile(filename, record["size"], timestamp, record["sha256"]))


@dataclass(frozen=True, slots=True)
class WriteShards:
    """Shards, out of the packs that they lie in."""

    packs: Path
    shards: tuple[tuple[Place, str], ...]

    def __call__(self) -> None:
        packs = Packs(self.packs)
        try:
            for place, target in self.shards:
                _write(target, packs.read(place))
        finally:
            packs.close()


def _write(target: str, data: bytes) -> None:
    with open(target, "xb", buffering=0) as file:  # noqa: PTH123 - thousands of shards
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
