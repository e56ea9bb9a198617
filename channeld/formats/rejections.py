"""What the readers of conda's formats refuse: the three groups, and every rule about a name.

``BadName`` is about an identifier (CEP 26, CEP 33), ``BadArchive`` about a package file as an archive (CEP 35;
its rules are in ``channeld.formats.archive.rejections``), ``BadMetadata`` about what ``info/`` says (CEP 34, 36;
``channeld.formats.metadata_rejections``).
Fields are given by position, so that a rejection survives pickling on its way out of a worker process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from channeld.errors import Rejected

#: How much of a text that somebody sent is repeated to them, in characters.
SHOWN_CHARACTERS: Final = 80


def shown(text: object) -> str:
    """Shorten a hostile text and escape what is not printable, so that every log and JSON writer takes it."""
    whole = text if isinstance(text, str) else repr(text)
    cut = whole if len(whole) <= SHOWN_CHARACTERS else whole[:SHOWN_CHARACTERS] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


class BadName(Rejected):
    """A text that is used as an identifier breaks the rules for it."""


class BadArchive(Rejected):
    """A package file is not the archive that its extension promises, or one that no server should pass on."""


class BadMetadata(Rejected):
    """The metadata inside a package cannot become a record that every client reads."""


@dataclass(eq=False)
class IdentifierTooLong(BadName):
    """Longer than CEP 26 allows. Checked before any pattern is: the patterns of CEP 26 can backtrack."""

    what: str
    value: str
    length: int
    limit: int

    def sentence(self) -> str:
        return f"The {self.what} {self.value!r} has {self.length} characters, more than {self.limit}."

    advice = "Choose a shorter one."


@dataclass(eq=False)
class PackageNameMalformed(BadName):
    name: str

    def sentence(self) -> str:
        return f"{self.name!r} is not a package name."

    advice = (
        "Use lowercase letters, digits and single '.', '_' or '-' between them, "
        "beginning with a letter, a digit or one underscore (CEP 26)."
    )


@dataclass(eq=False)
class PackageNameVirtual(BadName):
    name: str

    def sentence(self) -> str:
        return f"The package name {self.name!r} begins with two underscores, as virtual packages do."

    advice = (
        "Virtual packages exist on clients only and cannot be uploaded (CEP 26, CEP 30); rename the package."
    )


@dataclass(eq=False)
class VersionMalformed(BadName):
    version: str

    def sentence(self) -> str:
        return f"{self.version!r} is not a version."

    advice = (
        "Use lowercase letters and digits in parts divided by single '.' or '_', with at most one epoch '1!' "
        "in front and one local part '+…' at the end, and numbers below 2147483648 (CEP 26, CEP 33)."
    )


@dataclass(eq=False)
class BuildMalformed(BadName):
    build: str

    def sentence(self) -> str:
        return f"{self.build!r} is not a build string."

    advice = "Use letters, digits, '_', '.' and '+', at least one of them (CEP 26)."


@dataclass(eq=False)
class ExtensionUnknown(BadName):
    filename: str

    def sentence(self) -> str:
        return f"{self.filename!r} has no extension of a conda package."

    advice = "Conda packages end in '.conda' or '.tar.bz2' (CEP 26, CEP 35)."


@dataclass(eq=False)
class FileNameMalformed(BadName):
    filename: str

    def sentence(self) -> str:
        return f"{self.filename!r} does not name a package, a version and a build."

    advice = "File names are <name>-<version>-<build>.<extension> (CEP 26)."


@dataclass(eq=False)
class DistributionMalformed(BadName):
    distribution: str

    def sentence(self) -> str:
        return f"{self.distribution!r} does not name a package, a version and a build."

    advice = "Distributions are written [<subdir>/]<name>-<version>-<build> (CEP 26)."


@dataclass(eq=False)
class SubdirMalformed(BadName):
    subdir: str

    def sentence(self) -> str:
        return f"{self.subdir!r} is not a subdir."

    advice = "Use 'noarch', or '<os>-<arch>' in lowercase letters and digits, such as 'linux-64' (CEP 26)."


@dataclass(eq=False)
class LabelMalformed(BadName):
    label: str

    def sentence(self) -> str:
        return f"{self.label!r} is not a label."

    advice = (
        "Begin with a letter and go on with letters, digits, '_', '-', '.' and '/'; "
        "no part between slashes may be empty, '.' or '..' (CEP 26)."
    )


@dataclass(eq=False)
class LabelReserved(BadName):
    label: str

    def sentence(self) -> str:
        return f"The label {self.label!r} is reserved: it stands for having no label (CEP 26)."

    advice = "Choose another one."


@dataclass(eq=False)
class LabelEndsInSubdir(BadName):
    label: str
    subdir: str

    def sentence(self) -> str:
        return f"The label {self.label!r} ends in the subdir {self.subdir!r}: its URLs would be ambiguous."

    advice = "Choose a label whose last part is not the name of a platform (CEP 26)."


@dataclass(eq=False)
class ChannelNameMalformed(BadName):
    channel: str

    def sentence(self) -> str:
        return f"{self.channel!r} is not a channel name."

    advice = (
        "Use lowercase letters, digits, '_', '.' and '-', beginning with a letter, a digit or an underscore, "
        "and no '/' (CEP 26)."
    )


@dataclass(eq=False)
class ChannelNameIsSubdir(BadName):
    channel: str

    def sentence(self) -> str:
        return f"The channel name {self.channel!r} is that of a subdir: its URLs would be ambiguous."

    advice = "Choose another name (CEP 26)."
