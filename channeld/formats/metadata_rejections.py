"""What is refused about the metadata of a package: the documents below ``info/``, and the record made of them."""

from __future__ import annotations

from dataclasses import dataclass

from channeld.formats.rejections import BadMetadata

_REBUILD = "Correct the recipe, or build with a current conda-build or rattler-build."


@dataclass(eq=False)
class DocumentMalformed(BadMetadata):
    path: str
    reason: str

    def sentence(self) -> str:
        return f"{self.path} is malformed: {self.reason}."

    advice = _REBUILD


@dataclass(eq=False)
class FieldMissing(BadMetadata):
    field: str

    def sentence(self) -> str:
        return f"info/index.json has no {self.field!r} (CEP 34)."

    advice = _REBUILD


@dataclass(eq=False)
class FieldMistyped(BadMetadata):
    """A type that makes a client lose the record, the package name or the whole subdir."""

    field: str
    found: str
    expected: str

    def sentence(self) -> str:
        return f"{self.field!r} in info/index.json is {self.found}, not {self.expected}."

    advice = _REBUILD


@dataclass(eq=False)
class FileNameMismatch(BadMetadata):
    field: str
    filename: str
    index: str

    def sentence(self) -> str:
        return f"The file name says {self.field} {self.filename!r}, but info/index.json says {self.index!r}."

    advice = "Upload the file under the name that its metadata gives."


@dataclass(eq=False)
class NoarchUnknown(BadMetadata):
    found: str

    def sentence(self) -> str:
        return f"'noarch' in info/index.json is {self.found}, neither 'generic' nor 'python' (CEP 34)."

    advice = _REBUILD


@dataclass(eq=False)
class TimestampInFuture(BadMetadata):
    """Both in milliseconds since 1970."""

    timestamp: int
    now: int

    def sentence(self) -> str:
        return f"The package says it was built at {self.timestamp}, which is after now, {self.now} (CEP 47)."

    advice = "Set the clock of the machine that builds, and build the package again."


@dataclass(eq=False)
class DependencyMalformed(BadMetadata):
    field: str
    spec: str
    reason: str

    def sentence(self) -> str:
        return f"{self.spec!r} in {self.field!r} is no match specification: {self.reason}."

    advice = "Correct the requirement in the recipe (CEP 29)."


@dataclass(eq=False)
class DependencyNotAllowed(BadMetadata):
    """Only version, build, build_number, when, extras and flags may qualify a dependency in ``v3`` (CEP 48)."""

    field: str
    spec: str
    key: str

    def sentence(self) -> str:
        return f"{self.spec!r} in {self.field!r} constrains the {self.key}, which no dependency may (CEP 48)."

    advice = "Use version, build, build_number, when, extras and flags only."


@dataclass(eq=False)
class SchemaVersionUnknown(BadMetadata):
    version: int

    def sentence(self) -> str:
        return f"info/index.json has the schema version {self.version}; versions up to 3 are known (CEP 34, CEP 48)."

    advice = "Build the package with a schema version that clients know."


@dataclass(eq=False)
class ExtraGroupMalformed(BadMetadata):
    group: str

    def sentence(self) -> str:
        return f"{self.group!r} in 'extra_depends' is no name of a group."

    advice = "Use 1 to 64 lowercase letters, digits, '_', '.', '+' and '-' (CEP 44)."


@dataclass(eq=False)
class FlagMalformed(BadMetadata):
    flag: str

    def sentence(self) -> str:
        return f"{self.flag!r} in 'flags' is no flag."

    advice = "Use lowercase letters, digits and '_', with at most one ':' between them (CEP 45)."


@dataclass(eq=False)
class RecordTooLarge(BadMetadata):
    size: int
    limit: int

    def sentence(self) -> str:
        return f"The metadata takes {self.size} bytes of repodata, more than {self.limit}."

    advice = "Every client downloads it: move what is no metadata out of info/index.json."


@dataclass(eq=False)
class RecordNotJson(BadMetadata):
    """What JSON in 64 bits cannot carry: larger integers, NaN, lone surrogates, keys that are no strings."""

    reason: str

    def sentence(self) -> str:
        return f"info/index.json holds what repodata cannot carry: {self.reason}."

    advice = _REBUILD


@dataclass(eq=False)
class RunExportsMalformed(BadMetadata):
    path: str
    reason: str

    def sentence(self) -> str:
        return f"{self.path} is malformed: {self.reason}."

    advice = (
        "It holds a list of match specifications, or lists under weak, strong, noarch and the like (CEP 34)."
    )
