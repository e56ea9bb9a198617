"""``current_repodata.json``: the part of a repodata.json that most solves need.

There is no standard for it; conda-index's ``current_repodata.py`` is the definition, and the classic solver of
conda the reader. A document keeps, of the sections ``packages`` and ``packages.conda``:

1. of every name the files of its newest version, all builds, and of what conda takes ``=<newest>`` for;
2. of a *pinned* name (``current_index_versions``) the same for the newest version under each pin;
3. for every dependency of these that none of them satisfies, the files of the newest version that does: one step
   only, the dependencies of what is added so are not followed;
4. of a name of which a kept file has ``features`` or ``track_features``, the newest file that has neither.

Where there is a ``.conda`` of a ``.tar.bz2``, only the ``.conda`` counts.

We differ where conda-index stops or guesses:

====================================================  =======================  ======================================
the case                                              conda-index              here
====================================================  =======================  ======================================
a dependency or a version that cannot be parsed       stops with an error      passed over
a pin that no version matches                         stops with an error      passed over
a dependency on a feature (``mkl@``)                  any name at its version  passed over
a dependency with a channel (``main::zlib``)          never satisfied          the channel is not looked at
``zlib 1.0.*`` and a version 1rc1                     not satisfied            satisfied, as rattler has it
a ``.conda`` without a twin                           ``legacy_bz2_md5: null``  no such key, or its own
``v3``                                                copied whole             left out: its readers never ask for it
====================================================  =======================  ======================================

Steps 1, 2 and 4 need one name at a time (``Group.current``); what they yield is small, and stays valid while no
file of that name changes. Step 3 (``select``) looks at all names, but goes back to the files of a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import orjson
from rattler import Version

from channeld.errors import Rejected
from channeld.formats.layout import canonical_json, entry
from channeld.formats.matching import Requirement, in_series, parse_version
from channeld.formats.repodata import RepodataInfo, repodata_layout
from channeld.formats.timestamps import milliseconds

#: The sections that the document is drawn from.
CURRENT_SECTIONS: Final = ("packages", "packages.conda")

_CONDA: Final = ".conda"
_TAR_BZ2: Final = ".tar.bz2"

# Among files of one version, the largest is the newest.
_RANK: Final = attrgetter("build_number", "timestamp", "build", "filename")

Record = Mapping[str, Any]
#: Name → the version series that are kept beside the newest, such as ``{"python": ["2.7", "3.11"]}``.
Pins = Mapping[str, Sequence[str]]


@dataclass(eq=False)
class PinMalformed(Rejected):
    name: str
    pin: str

    def sentence(self) -> str:
        return f"The pin {self.pin!r} of {self.name!r} is not a version."

    advice = "Give the beginning of a version, such as '3.11'."


class Row(NamedTuple):
    """What the selection knows of one file. There may be half a million: a tuple takes the least time and room."""

    filename: str
    version: str
    build: str
    build_number: int
    #: Milliseconds since 1970.
    timestamp: int
    #: Whether it has ``features`` or ``track_features``.
    featured: bool
    #: The dependencies, each on a line. Most rows are never asked for them.
    depends: str


@dataclass(frozen=True, slots=True)
class Current:
    """What one name adds to the document by itself, and what it needs of others. Plain values, to be kept."""

    files: tuple[str, ...]
    #: Every pair of version and build among the files: what can satisfy a dependency.
    builds: tuple[tuple[str, str], ...]
    #: Every dependency of the files.
    depends: tuple[str, ...]
    #: Whether one of the files has features.
    featured: bool
    #: The newest file of the name that has none, kept beside one that has.
    plain: str | None


class Group:
    """All files of one package name in one subdir, newest version first."""

    __slots__ = ("_versions", "name")

    def __init__(self, name: str, rows: Iterable[Row]) -> None:
        by_version: dict[str, list[Row]] = {}
        for row in _without_twins(list(rows)):
            by_version.setdefault(row.version, []).append(row)
        parsed = [(version, rows) for text, rows in by_version.items() if (version := parse_version(text))]
        self.name = name
        self._versions = sorted(parsed, key=itemgetter(0), reverse=True)

    def current(self, pins: Sequence[str] = ()) -> Current:
        """Take the steps that need this name only.

        Raises:
            PinMalformed: a pin is not a version.
        """
        newest = self._newest(lambda _version, _row: True)
        heads = [found for found in (newest, *map(self._newest_under, pins)) if found is not None]
        rows = {row.filename: row for head, _ in heads for row in self.series(head)}.values()
        plain = self._newest(lambda _version, row: not row.featured)
        return Current(
            tuple(row.filename for row in rows),
            tuple(dict.fromkeys((row.version, row.build) for row in rows)),
            tuple(dict.fromkeys(depend for row in rows for depend in row.depends.splitlines())),
            any(row.featured for row in rows),
            plain and plain[1].filename,
        )

    def series(self, head: Version) -> Iterator[Row]:
        """Yield the files of a version, and of those that conda takes ``=<version>`` for."""
        for version, rows in self._versions:
            if in_series(version, head):
                yield from rows

    def newest_for(self, requirement: Requirement) -> Version | None:
        """Return the version of the newest file that satisfies the requirement."""
        found = self._newest(lambda version, row: requirement.accepts(version, row.build))
        return found and found[0]

    def _newest_under(self, pin: str) -> tuple[Version, Row] | None:
        head = parse_version(pin.removesuffix("*").removesuffix("."))
        if head is None:
            raise PinMalformed(self.name, pin)
        return self._newest(lambda version, _row: in_series(version, head))

    def _newest(self, wanted: Callable[[Version, Row], bool]) -> tuple[Version, Row] | None:
        """Find the newest file that is wanted.

        Spellings of one version, such as 1 and 1.0.0, are equal in order, but not as the head of a series: their
        files have to be weighed together.
        """
        best: tuple[Version, Row] | None = None
        for version, rows in self._versions:
            if best is not None and version != best[0]:
                break
            for row in rows:
                if wanted(version, row) and (best is None or _RANK(row) > _RANK(best[1])):
                    best = (version, row)
        return best


def group_by_name(sections: Mapping[str, Iterable[tuple[str, Record]]]) -> dict[str, Group]:
    """Sort the records of ``packages`` and ``packages.conda`` into one group a name; other sections are ignored."""
    rows: dict[str, list[Row]] = {}
    shared: dict[str, str] = {}
    for section in CURRENT_SECTIONS:
        for filename, record in sections.get(section, ()):
            rows.setdefault(record["name"], []).append(_row(filename, record, shared))
    return {name: Group(name, rows.pop(name)) for name in list(rows)}


def _row(filename: str, record: Record, shared: dict[str, str]) -> Row:
    """Read a record. Versions and dependencies are ``shared``: a channel repeats each of them many times."""
    version = record["version"]
    depends = "\n".join(record.get("depends") or ())
    return Row(
        filename,
        shared.setdefault(version, version),
        record["build"],
        record["build_number"],
        milliseconds(record.get("timestamp")),
        _has_features(record.get("track_features")) or _has_features(record.get("features")),
        shared.setdefault(depends, depends),
    )


def select(currents: Mapping[str, Current], group: Callable[[str], Group]) -> set[str]:
    """Return the file names of the document, from what each name says by itself.

    Args:
        currents: every name of the subdir.
        group: called with the names, a few, of which a dependency asks for an older version.
    """
    kept = {filename for current in currents.values() for filename in current.files}
    featured = {name for name, current in currents.items() if current.featured}
    for requirement in _unmet(currents):
        older = group(requirement.name)
        if (version := older.newest_for(requirement)) is not None:
            rows = list(older.series(version))
            kept.update(row.filename for row in rows)
            if any(row.featured for row in rows):
                featured.add(requirement.name)
    return kept.union(plain for name in featured if (plain := currents[name].plain) is not None)


def current_repodata(
    sections: Mapping[str, Iterable[tuple[str, Record]]], pins: Pins | None = None
) -> set[str]:
    """Return the names of the files that belong into ``current_repodata.json``.

    Args:
        sections: section → pairs of file name and record, each once, in any order.
        pins: the series to keep beside the newest version.

    Raises:
        PinMalformed: a pin is not a version.
    """
    groups = group_by_name(sections)
    pins = pins or {}
    return select({name: groups[name].current(pins.get(name, ())) for name in groups}, groups.__getitem__)


def current_record(record: Record, twin: Record | None) -> Record:
    """Return a record as the document shows it: a ``.conda`` tells the md5 of its ``.tar.bz2`` twin (CEP 36)."""
    if twin is None or twin.get("md5") is None:
        return record
    return {**record, "legacy_bz2_md5": twin["md5"]}


def render_current(
    info: RepodataInfo,
    sections: Mapping[str, Mapping[str, Record]],
    kept: set[str],
    removed: Iterable[str] = (),
) -> bytes:
    """Write the document: the kept ones among the records, as their repodata.json shows them.

    Args:
        info: that of the repodata.json; what it says of ``v3`` is left out.
        sections: section → file name → record.
        kept: the answer of ``current_repodata``.
        removed: the repodata.json's own.
    """
    tar_bz2 = sections.get("packages", {})
    entries = {
        section: [
            entry(name, canonical_json(current_record(sections[section][name], tar_bz2.get(_twin_of(name)))))
            for name in sorted(sections.get(section, {}).keys() & kept)
        ]
        for section in CURRENT_SECTIONS
    }
    entries["removed"] = [orjson.dumps(name) for name in sorted(removed)]
    return repodata_layout(replace(info, v3=None)).assemble(entries)


def _unmet(currents: Mapping[str, Current]) -> Iterator[Requirement]:
    """Yield what dependencies of the kept files ask of a name that is there, but not of a file that is kept."""
    parsed: dict[str, list[tuple[Version, str]]] = {}
    for depend in {depend for current in currents.values() for depend in current.depends} - currents.keys():
        requirement = Requirement.parse(depend)
        if requirement is None or requirement.name not in currents or requirement.any_will_do:
            continue
        builds = parsed.get(requirement.name)
        if builds is None:
            builds = parsed[requirement.name] = [
                (version, build)
                for text, build in currents[requirement.name].builds
                if (version := parse_version(text))
            ]
        if not any(requirement.accepts(version, build) for version, build in builds):
            yield requirement


def _without_twins(rows: list[Row]) -> Iterator[Row]:
    conda = {row.filename for row in rows if row.filename.endswith(_CONDA)}
    if len(conda) in {0, len(rows)}:
        return iter(rows)
    return (row for row in rows if row.filename.removesuffix(_TAR_BZ2) + _CONDA not in conda)


def _twin_of(filename: str) -> str:
    return filename.removesuffix(_CONDA) + _TAR_BZ2 if filename.endswith(_CONDA) else ""


def _has_features(features: object) -> bool:
    """``features`` is a list, or a text with spaces or commas in it; either may be there and be empty."""
    if not features:
        return False
    names = features.replace(",", " ").split() if isinstance(features, str) else features
    return isinstance(names, list) and any(isinstance(name, str) and name.strip() for name in names)
