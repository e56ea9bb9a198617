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
    PackageMissing,
)
from channeld.errors import Rejected
from tests.support.catalog import Mark

BROKEN = "broken"


@dataclass(eq=False)
class ModelFile:
    """A file; its place in the model's list stands for its age."""

    artifact: Artifact
    #: When it was uploaded last.
    uploaded_ms: int = 0
    deleted: bool = False
    carried: set[str] = field(default_factory=set)
    #: Of a candidate: the sets of labels under which it was uploaded and that it does not show.
    kept: set[frozenset[str]] = field(default_factory=set)
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
            return self._add_again(same, names, now_ms)
        if any(self.labels.get(name, False) for name in names):
            return LabelLocked
        if same is None:
            same = ModelFile(artifact)
            self.files.append(same)
        elif self.staging:  # it is the newest again
            self.files.remove(same)
            self.files.append(same)
        same.deleted, same.uploaded_ms = False, now_ms
        same.kept.discard(frozenset(names))
        self._create(names)
        self._carry(same, set(names), now_ms)
        self.revision += 1
        self._touch(same, same.carried)
        return None

    def _add_again(self, file: ModelFile, names: Collection[str], now_ms: int) -> type[Rejected] | None:
        """Upload what is there: of that only labels may be new, and a candidate's age."""
        before = frozenset(file.carried)
        refusal = self._put([file], names, now_ms)
        if refusal is None and self.staging:
            self.revision += before == file.carried and file.uploaded_ms < now_ms
            file.uploaded_ms = now_ms
            file.kept = (file.kept | {before, frozenset(names)}) - {frozenset(file.carried), frozenset()}
        return refusal

    def delete(self, place: tuple[str, str], sha256: str = "") -> type[Rejected] | None:
        """Delete a file, with or without naming its hash."""
        found = [file for file in self.files if file.place == place and not file.deleted]
        found = [file for file in found if sha256 in ("", file.artifact.sha256)]
        if len(found) != 1:
            return CandidateAmbiguous if found else FileMissing
        if any(self.labels[name] for name in found[0].carried):
            return LabelLocked
        self.revision += 1
        self._touch(found[0], found[0].carried)
        found[0].deleted = True
        found[0].kept |= {frozenset(found[0].carried)} - {frozenset()}
        found[0].carried = set()
        return None

    def relabel(
        self, name: str, add: Collection[str], remove: Collection[str], now_ms: int
    ) -> type[Rejected] | None:
        """Put labels on all files of a package, and take some off."""
        if not set(remove) - {BROKEN} <= self.labels.keys():
            return LabelMissing
        files = [file for file in self.files if file.artifact.name == name and not file.deleted]
        if not files:
            return PackageMissing
        changes = [(file, set(add) - file.carried, file.carried & set(remove)) for file in files]
        if any(self.labels.get(label, False) for _, new, lost in changes for label in new | lost):
            return LabelLocked
        changes = [(file, new, lost) for file, new, lost in changes if new or lost]
        self._create({label for _, new, _ in changes for label in new})
        self.revision += bool(changes)
        for file, new, lost in changes:
            self._carry(file, new, now_ms)
            file.carried -= lost
            file.kept = set()
            touched = new | lost
            self._touch(file, touched | file.carried if BROKEN in touched else touched)
        return None

    def remove(self, place: tuple[str, str], sha256: str) -> None:
        """Remove a candidate that has been promoted."""
        self._remove([f for f in self.files if f.place == place and f.artifact.sha256 == sha256])

    def expire(self, before_ms: int) -> int:
        """Remove the candidates that are too old; return how many."""
        old = [file for file in self.files if self.staging and file.uploaded_ms < before_ms]
        self._remove(old)
        return len(old)

    def _remove(self, files: list[ModelFile]) -> None:
        self.revision += bool(files)
        for file in files:
            self.files.remove(file)
            self._touch(file, file.entered)

    def candidates(self, place: tuple[str, str]) -> set[tuple[str, frozenset[str], bool]]:
        """Say what could be promoted under a name: hash, labels, and whether it is hidden."""
        found = set()
        for file in self.files:
            if file.place == place:
                shown = set() if file.deleted else {frozenset(file.carried)}
                found |= {(file.artifact.sha256, labels, file.deleted) for labels in shown | file.kept}
        return found

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
