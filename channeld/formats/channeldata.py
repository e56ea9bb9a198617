"""``channeldata.json``: what there is to say of each package name in all of a channel (CEP 38).

Every name is told by its *reference files*: of each subdir and version the newest one, by ``timestamp``. So the
entry of one name comes out of that name's files alone, and a change of one file is a change of one entry.

The fields are conda-index's, which is the model for CEP 38, and most of their meaning too:

- a text or URL is that of the newest version that has it; among subdirs with one version, that of the newest file;
- the flags, such as ``activate.d``, are true if they are true of any reference file;
- ``run_exports`` has the versions that export something; of several subdirs the last by name tells what.

Where we differ on purpose:

====================================  ================================  ===========================================
the case                              conda-index                       here
====================================  ================================  ===========================================
a name, version or subdir that is     stays in the document for ever    is gone with its last file
gone from the channel
``timestamp``                         that of the file read last        the greatest of all files (CEP 38)
a text that the newest version lacks  the one found first, in the       the one of the newest version that has it
                                      order of the subdirs
files of one version and timestamp    the one read first                the ``.conda``, then the first by file name
a recipe with a list of sources       no ``source_url``                 the list of their URLs (CEP 38)
fields without a value                left out, once null               left out
records under ``v3``                  not looked at                     as all others
====================================  ================================  ===========================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
from rattler import Version

from channeld.formats.archive.facts import ABOUT_FIELDS, ChannelFacts
from channeld.formats.layout import Layout, canonical_json, entry
from channeld.formats.matching import parse_version
from channeld.formats.timestamps import milliseconds

CHANNELDATA_VERSION: Final = 1
CHANNELDATA_SECTIONS: Final = ("packages",)

#: Texts and URLs, from the record where it has them (it may be patched), else from about.json.
_TEXTS: Final = frozenset(ABOUT_FIELDS) - {"commits", "reference_package"}
#: Where the recipe's source was, and as what the facts know it.
_SOURCES: Final = {"source_url": "url", "source_git_url": "git_url"}
#: Texts that are written on one line.
_ONE_LINE: Final = frozenset({"description", "summary"})

Record = Mapping[str, Any]
#: A reference file as it is stored: subdir; record, run_exports and facts as JSON.
EncodedFile = tuple[str, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A file that speaks for its version in its subdir."""

    subdir: str
    #: As repodata.json has it.
    record: Record
    #: In the form of CEP 12; empty for none.
    run_exports: Mapping[str, Any]
    facts: ChannelFacts

    @classmethod
    def decode(cls, file: EncodedFile) -> Self:
        """Read it as it is stored."""
        subdir, record, run_exports, facts = file
        said: dict[str, Any] = orjson.loads(facts)
        return cls(subdir, orjson.loads(record), orjson.loads(run_exports), ChannelFacts(**said))


def reference_files(files: Iterable[tuple[str, str, Record]]) -> list[tuple[str, str]]:
    """Choose from the files of one name those that speak for it: the newest of each subdir and version.

    Args:
        files: subdir, file name and record, in any order.

    Returns:
        Pairs of subdir and file name, sorted.
    """
    return newest_of_versions(
        (subdir, filename, record["version"], milliseconds(record.get("timestamp")))
        for subdir, filename, record in files
    )


def newest_of_versions(files: Iterable[tuple[str, str, str, int]]) -> list[tuple[str, str]]:
    """Choose as ``reference_files`` does, given subdir, file name, version and time of the build in ms."""
    chosen: dict[tuple[str, str], tuple[int, bool, str]] = {}
    for subdir, filename, version, timestamp_ms in files:
        rank = (-timestamp_ms, not filename.endswith(".conda"), filename)
        best = chosen.get((subdir, version))
        if best is None or rank < best:
            chosen[subdir, version] = rank
    return sorted((subdir, filename) for (subdir, _), (_, _, filename) in chosen.items())


def package_entry(files: Iterable[ReferenceFile]) -> dict[str, Any]:
    """Tell what there is to say of one package name.

    Args:
        files: all its reference files, at least one, in any order.
    """
    newest_first = sorted(files, key=lambda file: file.subdir)
    newest_first.sort(key=_age, reverse=True)
    stamps = (milliseconds(file.record.get("timestamp")) for file in newest_first)
    return {
        **_texts(newest_first),
        **_flags(newest_first),
        "run_exports": _run_exports(newest_first),
        "subdirs": sorted({file.subdir for file in newest_first}),
        "timestamp": max(stamps) // 1000,
        "version": newest_first[0].record["version"],
    }


def encoded_entry(name: str, files: Iterable[EncodedFile]) -> bytes:
    """Write the line of a package, from all its reference files as they are stored."""
    return encode_entry(name, package_entry(map(ReferenceFile.decode, files)))


def encode_entry(name: str, package: Mapping[str, Any]) -> bytes:
    """Write the line of a package."""
    return entry(name, canonical_json(package))


def channeldata_layout(subdirs: Iterable[str]) -> Layout:
    """Lay out the document. Its entries are those of ``encoded_entry``."""
    return Layout(
        CHANNELDATA_SECTIONS,
        (
            b'{"channeldata_version":%d,\n"packages":{\n' % CHANNELDATA_VERSION,
            b'\n},\n"subdirs":' + canonical_json(sorted(subdirs)) + b"}\n",
        ),
    )


def _age(file: ReferenceFile) -> tuple[bool, Version, int]:
    version = parse_version(file.record["version"])
    stamp = milliseconds(file.record.get("timestamp"))
    return (version is not None, version or Version("0"), stamp)


def _texts(newest_first: list[ReferenceFile]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in newest_first:
        missing = _TEXTS - found.keys()
        for field in (missing & file.record.keys()) | (missing & file.facts.about.keys()):
            if text := _text_of(file, field):
                found[field] = text
        for field, source in _SOURCES.items():
            if field not in found and (text := file.facts.source.get(source)):
                found[field] = text
    return found


def _text_of(file: ReferenceFile, field: str) -> object:
    text = file.record.get(field) or file.facts.about.get(field)
    return _one_line(text) if field in _ONE_LINE else text


def _one_line(text: object) -> object:
    if isinstance(text, list):  # a list of lines, in old packages
        text = "".join(map(str, text))
    return text.strip().replace("\n", " ") if isinstance(text, str) else text


def _flags(files: list[ReferenceFile]) -> dict[str, bool]:
    facts = [file.facts for file in files]
    return {
        "activate.d": any(f.activate_d for f in facts),
        "binary_prefix": any(f.binary_prefix for f in facts),
        "deactivate.d": any(f.deactivate_d for f in facts),
        "post_link": any(f.post_link for f in facts),
        "pre_link": any(f.pre_link for f in facts),
        "pre_unlink": any(f.pre_unlink for f in facts),
        "text_prefix": any(f.text_prefix for f in facts),
    }


def _run_exports(files: list[ReferenceFile]) -> dict[str, Any]:
    by_subdir = sorted(files, key=lambda file: file.subdir)
    return {file.record["version"]: file.run_exports for file in by_subdir if file.run_exports}
