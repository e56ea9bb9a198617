"""What the catalog is meant to do with files and labels, said once more in the plainest way: dictionaries and sets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from channeld.catalog.files import Artifact
from channeld.catalog.rejections import (
    CandidateAmbiguous,
    FileConflict,
    FileMissing,
    LabelLocked,
    LabelMissing,
    LabelPermanent,
)
from channeld.errors import Rejected
from tests.support.catalog import Mark

BROKEN = "broken"


@dataclass(eq=False)
class ModelFile:
    """A file; its place in the model's list stands for its age."""

    artifact: Artifact
    deleted: bool = False
    carried: set[str] = field(default_factory=set)
    #: When it first entered the view of each label it ever carried.
    entered: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str]:
        return (self.artifact.subdir, self.artifact.filename)


class ModelChannel:
    """A channel. Every method returns the rule that refuses, or None after the change."""

    def __init__(self, *, staging: bool) -> None:
        self.staging = staging
        self.revision = 1
        self.files: list[ModelFile] = []
        #: Whether each label that is there is locked.
        self.labels = {"main": False}
        self.marks: set[Mark] = set()

    def add(self, artifact: Artifact, names: Collection[str], now_ms: int) -> type[Rejected] | None:
        """Upload."""
        named = [file for file in self.files if file.place == (artifact.subdir, artifact.filename)]
        same = next((file for file in named if file.artifact == artifact), None)
        if same is None and named and not self.staging:
            return FileConflict
        if same is not None and not same.deleted:
            return self._put([same], names, now_ms)
        if any(self.labels.get(name, False) for name in names):
            return LabelLocked
        if same is None:
            same = ModelFile(artifact)
            self.files.append(same)
        same.deleted = False
        self._create(names)
        self._carry(same, set(names), now_ms)
        self.revision += 1
        self._touch(same, same.carried)
        return None

    def delete(self, place: tuple[str, str]) -> type[Rejected] | None:
        """Delete a file without naming its hash."""
        found = [file for file in self.files if file.place == place and not file.deleted]
        if len(found) != 1:
            return CandidateAmbiguous if found else FileMissing
        if any(self.labels[name] for name in found[0].carried):
            return LabelLocked
        self.revision += 1
        self._touch(found[0], found[0].carried)
        found[0].deleted = True
        found[0].carried = set()
        return None

    def put(self, name: str, names: Collection[str], now_ms: int) -> type[Rejected] | None:
        """Put labels on all files of a package."""
        return self._put(self._selected(name), names, now_ms)

    def take(self, name: str, names: Collection[str]) -> type[Rejected] | None:
        """Take labels off all files of a package."""
        if not set(names) <= self.labels.keys():
            return LabelMissing
        losing = [(file, file.carried & set(names)) for file in self._selected(name)]
        if any(self.labels[label] for _, lost in losing for label in lost):
            return LabelLocked
        for file, lost in losing:
            if lost:
                self.revision += 1
                file.carried -= lost
                self._touch(file, lost | file.carried if BROKEN in lost else lost)
        return None

    def create_label(self, label: str) -> None:
        """Create a label."""
        self._create([label])

    def lock_label(self, label: str, locked: bool) -> type[Rejected] | None:
        """Lock or unlock a label."""
        if label not in self.labels:
            return LabelMissing
        self.revision += self.labels[label] is not locked
        self.labels[label] = locked
        return None

    def delete_label(self, label: str) -> type[Rejected] | None:
        """Drop a label."""
        if label not in self.labels:
            return LabelMissing
        if self.labels[label]:
            return LabelLocked
        if label == "main" or (label == BROKEN and any(BROKEN in file.carried for file in self.files)):
            return LabelPermanent
        self.revision += 1
        del self.labels[label]
        for file in self.files:
            file.carried.discard(label)
            if label in file.entered:
                self.marks.add((label, file.artifact.subdir, ""))
        return None

    def shown(self, label: str, subdir: str) -> dict[str, tuple[str, int]]:
        """Return what a view shows: of each file name the hash, and when it entered."""
        standing: dict[str, tuple[tuple[bool, bool, int], ModelFile]] = {}
        for age, file in enumerate(self.files):
            if label in file.entered and file.artifact.subdir == subdir:
                rank = (label in file.carried, BROKEN not in file.carried, age)
                last = standing.get(file.artifact.filename)
                if last is None or rank > last[0]:
                    standing[file.artifact.filename] = (rank, file)
        return {
            filename: (file.artifact.sha256, file.entered[label])
            for filename, (_, file) in sorted(standing.items())
            if label in file.carried and (label == BROKEN or BROKEN not in file.carried)
        }

    def _selected(self, name: str) -> list[ModelFile]:
        """Return the newest candidate of each file name of a package."""
        live = {file.place: file for file in self.files if file.artifact.name == name and not file.deleted}
        return list(live.values())

    def _put(self, files: list[ModelFile], names: Collection[str], now_ms: int) -> type[Rejected] | None:
        lacking = [(file, set(names) - file.carried) for file in files]
        if any(self.labels.get(label, False) for _, new in lacking for label in new):
            return LabelLocked
        for file, new in lacking:
            if new:
                self._create(new)
                self._carry(file, new, now_ms)
                self.revision += 1
                self._touch(file, file.carried if BROKEN in new else new)
        return None

    def _create(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self.labels:
                self.labels[name] = False
                self.revision += 1

    def _carry(self, file: ModelFile, names: set[str], now_ms: int) -> None:
        file.carried |= names
        for name in names:
            file.entered.setdefault(name, now_ms)

    def _touch(self, file: ModelFile, names: Collection[str]) -> None:
        self.marks |= {(name, *file.place) for name in names}
