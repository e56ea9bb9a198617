"""The identifiers of the conda world: what a name may look like, and how a file name divides into names.

Source: CEP 26 (identifiers), and CEP 33 for the grammar of versions.
Rules kept here: the length is checked before the pattern; patterns match the whole text and do not backtrack;
whatever passes is one harmless path component (a label: several), and no client chokes on it.

Two policies. ``Naming.STRICT`` is CEP 26 to the letter, for what is published now. ``Naming.LEGACY`` is for
packages published before there were rules: uppercase names, doubled separators, odd builds, versions like
``1.0__``. It still refuses what poisons a client (fewer than two dashes in a file name, or a version that
py-rattler cannot parse, make rattler lose a whole subdir), and what is not plain ASCII free of path syntax.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from channeld.formats.rejections import (
    BuildMalformed,
    ChannelNameIsSubdir,
    ChannelNameMalformed,
    DistributionMalformed,
    ExtensionUnknown,
    FileNameMalformed,
    IdentifierTooLong,
    LabelEndsInSubdir,
    LabelMalformed,
    LabelReserved,
    PackageNameMalformed,
    PackageNameVirtual,
    SubdirMalformed,
    VersionMalformed,
    shown,
)

#: Limits of CEP 26, in characters.
NAME_LIMIT: Final = 64
VERSION_LIMIT: Final = 64
BUILD_LIMIT: Final = 64
FILENAME_LIMIT: Final = 211
SUBDIR_LIMIT: Final = 32
LABEL_LIMIT: Final = 128
CHANNEL_LIMIT: Final = 128

NOARCH: Final = "noarch"

#: The subdirs that conda itself knows (``conda.base.constants.KNOWN_SUBDIRS``). CEP 26 allows any
#: ``<os>-<arch>``, which ``conda-forge`` is too; so this list, not the pattern, tells which names of labels and
#: channels would make a URL ambiguous.
KNOWN_SUBDIRS: Final = frozenset(
    {
        NOARCH,
        "emscripten-wasm32",
        "wasi-wasm32",
        "freebsd-64",
        "linux-32",
        "linux-64",
        "linux-aarch64",
        "linux-armv6l",
        "linux-armv7l",
        "linux-ppc64",
        "linux-ppc64le",
        "linux-riscv64",
        "linux-s390x",
        "osx-64",
        "osx-arm64",
        "win-32",
        "win-64",
        "win-arm64",
        "zos-z",
    }
)

#: The label of a URL without one, and the one that means "no label" (CEP 26, "Label names").
DEFAULT_LABEL: Final = "main"
NO_LABEL: Final = "nolabel"

# The pattern of CEP 26 without its nested quantifiers, and with the rule of its prose against two separators
# in a row.
_STRICT_NAME: Final = re.compile(r"_|_?[a-z0-9]+(?:[._-][a-z0-9]+)*[._-]?")
_LEGACY_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

# CEP 33: segments divided by one '.' or '_', one epoch, one local part; one '_' may end a part, as in openssl's
# 1.0.1_.
_PART: Final = r"[a-z0-9]+(?:[._][a-z0-9]+)*_?"
_STRICT_VERSION: Final = re.compile(rf"(?:[0-9]+!)?{_PART}(?:\+{_PART})?")
_LEGACY_VERSION: Final = re.compile(r"[0-9A-Za-z._+!]+")
_LONG_NUMBER: Final = re.compile(r"[0-9]{10,}")
_NUMBER_LIMIT: Final = 2**31 - 1

_STRICT_BUILD: Final = re.compile(r"[a-zA-Z0-9_.+]+")
_LEGACY_BUILD: Final = re.compile(r"[a-zA-Z0-9_.+!~]+")
_SUBDIR: Final = re.compile(r"[a-z0-9]+-[a-z0-9]+")
_LABEL: Final = re.compile(r"[a-zA-Z][0-9a-zA-Z_\-./]*")
_CHANNEL: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*")


class Naming(enum.Enum):
    """Which rules names have to keep: those of today, or those that every published package keeps."""

    STRICT = "strict"
    LEGACY = "legacy"


class Extension(enum.StrEnum):
    """The two formats of CEP 35, by the extension that names them in a file name and in ``v3`` (CEP 48)."""

    CONDA = "conda"
    TAR_BZ2 = "tar.bz2"


_EXTENSIONS: Final = tuple((f".{extension}", extension) for extension in Extension)


def _check_length(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise IdentifierTooLong(what, shown(text), len(text), limit)


def check_package_name(text: str, naming: Naming = Naming.STRICT) -> str:
    """Return the name of a distributable package unchanged (CEP 26, "Package names").

    Raises:
        IdentifierTooLong, PackageNameVirtual, PackageNameMalformed
    """
    _check_length("package name", text, NAME_LIMIT)
    if text.startswith("__"):
        raise PackageNameVirtual(shown(text))
    pattern = _STRICT_NAME if naming is Naming.STRICT else _LEGACY_NAME
    if pattern.fullmatch(text) is None:
        raise PackageNameMalformed(shown(text))
    return text


def check_version(text: str, naming: Naming = Naming.STRICT) -> str:
    """Return a version unchanged: one that fits in a file name and that clients can order (CEP 26, CEP 33).

    Raises:
        IdentifierTooLong, VersionMalformed
    """
    _check_length("version", text, VERSION_LIMIT)
    pattern = _STRICT_VERSION if naming is Naming.STRICT else _LEGACY_VERSION
    if pattern.fullmatch(text) is None:
        raise VersionMalformed(shown(text))
    if naming is Naming.STRICT and any(int(run) > _NUMBER_LIMIT for run in _LONG_NUMBER.findall(text)):
        raise VersionMalformed(shown(text))
    if not _can_be_ordered(text):
        raise VersionMalformed(shown(text))
    return text


@lru_cache(maxsize=16_384)
def _can_be_ordered(version: str) -> bool:
    from rattler import Version  # noqa: PLC0415 - takes 40 ms to load, and most commands judge no version
    from rattler.exceptions import InvalidVersionError  # noqa: PLC0415

    try:
        Version(version)
    except InvalidVersionError:
        return False
    return True


def check_build(text: str, naming: Naming = Naming.STRICT) -> str:
    """Return a build string unchanged (CEP 26, "Build strings").

    Raises:
        IdentifierTooLong, BuildMalformed
    """
    _check_length("build string", text, BUILD_LIMIT)
    pattern = _STRICT_BUILD if naming is Naming.STRICT else _LEGACY_BUILD
    if pattern.fullmatch(text) is None:
        raise BuildMalformed(shown(text))
    return text


def check_subdir(text: str) -> str:
    """Return a subdir unchanged, known to conda or not (CEP 26, "Subdir names").

    Raises:
        IdentifierTooLong, SubdirMalformed
    """
    if text in KNOWN_SUBDIRS:
        return text
    _check_length("subdir", text, SUBDIR_LIMIT)
    if text != NOARCH and _SUBDIR.fullmatch(text) is None:
        raise SubdirMalformed(shown(text))
    return text


def check_label(text: str, subdirs: Collection[str] = KNOWN_SUBDIRS) -> str:
    """Return a label unchanged (CEP 26, "Label names"; that no part may be empty, '.' or '..' is our rule).

    Raises:
        IdentifierTooLong, LabelMalformed, LabelReserved, LabelEndsInSubdir
    """
    _check_length("label", text, LABEL_LIMIT)
    parts = text.split("/")
    if _LABEL.fullmatch(text) is None or not {"", ".", ".."}.isdisjoint(parts):
        raise LabelMalformed(shown(text))
    if text == NO_LABEL:
        raise LabelReserved(text)
    if parts[-1] in subdirs:
        raise LabelEndsInSubdir(text, parts[-1])
    return text


def check_channel_name(text: str, subdirs: Collection[str] = KNOWN_SUBDIRS) -> str:
    """Return the name of a channel unchanged: one path component (CEP 26, "Channel base URLs").

    Raises:
        IdentifierTooLong, ChannelNameMalformed, ChannelNameIsSubdir
    """
    _check_length("channel name", text, CHANNEL_LIMIT)
    if _CHANNEL.fullmatch(text) is None:
        raise ChannelNameMalformed(shown(text))
    if text in subdirs:
        raise ChannelNameIsSubdir(text)
    return text


def _extension_of(filename: str) -> tuple[str, Extension]:
    """Return the end of a file name that is its extension, and which one that is."""
    for suffix, extension in _EXTENSIONS:
        if filename.endswith(suffix):
            return suffix, extension
    raise ExtensionUnknown(shown(filename))


@dataclass(frozen=True, slots=True)
class FileName:
    """A package's file name, ``<name>-<version>-<build>.<extension>`` (CEP 26, "Filenames")."""

    name: str
    version: str
    build: str
    extension: Extension

    @classmethod
    def parse(cls, text: str, naming: Naming = Naming.STRICT) -> FileName:
        """Divide a file name, from the right: versions and builds have no dashes.

        Raises:
            BadName: which of its subclasses says which rule is broken.
        """
        _check_length("file name", text, FILENAME_LIMIT)
        suffix, extension = _extension_of(text)
        parts = text.removesuffix(suffix).rsplit("-", 2)
        if len(parts) != 3:
            raise FileNameMalformed(shown(text))
        name, version, build = parts
        return cls(
            check_package_name(name, naming),
            check_version(version, naming),
            check_build(build, naming),
            extension,
        )

    @property
    def stem(self) -> str:
        """The file name without its extension: the distribution string, and the key of a record in ``v3``."""
        return f"{self.name}-{self.version}-{self.build}"

    def __str__(self) -> str:
        return f"{self.stem}.{self.extension}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A package without its extension: ``[<subdir>/]<name>-<version>-<build>`` (CEP 26)."""

    subdir: str | None
    name: str
    version: str
    build: str

    @classmethod
    def parse(cls, text: str, naming: Naming = Naming.STRICT) -> Distribution:
        """Divide a distribution string.

        Raises:
            BadName: which of its subclasses says which rule is broken.
        """
        _check_length("distribution string", text, SUBDIR_LIMIT + 1 + FILENAME_LIMIT)
        subdir, slash, stem = text.rpartition("/")
        parts = stem.rsplit("-", 2)
        if len(parts) != 3:
            raise DistributionMalformed(shown(text))
        name, version, build = parts
        return cls(
            check_subdir(subdir) if slash else None,
            check_package_name(name, naming),
            check_version(version, naming),
            check_build(build, naming),
        )

    def __str__(self) -> str:
        stem = f"{self.name}-{self.version}-{self.build}"
        return stem if self.subdir is None else f"{self.subdir}/{stem}"
