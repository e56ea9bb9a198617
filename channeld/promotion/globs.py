"""Globs that say which new outputs a feedstock may have, found by name among a million of them. Pure.

A glob means what Python's ``fnmatch`` says, as at conda-forge: ``*`` any run, ``?`` any one character, ``[a-z]`` and
``[!a-z]`` one of some. Upper and lower case differ. ``fnmatch`` compiles each run between stars to an atomic group,
so a hostile glob takes no longer than the product of the two lengths.

A name that a glob matches has in it, letter for letter, whatever stands between two of the glob's special characters.
The longest such run is the glob's core, by which it is found; a name is looked up by all of its parts: 64 letters have
2,080.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from channeld.errors import Rejected
from channeld.formats.rejections import shown

#: Characters of a glob; no name of an output is longer than 64.
GLOB_LIMIT: Final = 256

_SPECIAL: Final = re.compile(r"[*?\[\]]")
#: A bracket that opens no set means itself, so that it may stand behind the last of these.
_LAST: Final = re.compile(r"[*?\]]")
_MAGIC: Final = re.compile(r"[*?\[\]!]")


@dataclass(eq=False)
class GlobMalformed(Rejected):
    """Nothing that may be asked for as a glob: of one character, which would be anything, or beyond all names."""

    glob: str

    advice: ClassVar[str] = (
        f"Write at least 2 characters, at most {GLOB_LIMIT}, and a part that names the feedstock."
    )

    def sentence(self) -> str:
        return f"The glob {self.glob!r} is not taken."


def is_glob(text: str) -> bool:
    """Tell whether conda-forge takes a text for a glob rather than for the name of an output."""
    return _MAGIC.search(text) is not None


def check_glob(text: str) -> str:
    """Return a glob unchanged; raises ``GlobMalformed``.

    Those that could mean every name, such as ``**`` and ``[a-z]*``, are refused: they have no core.
    """
    if not 2 <= len(text) <= GLOB_LIMIT or not text.isprintable() or not core_of(text):
        raise GlobMalformed(shown(text))
    return text


def core_of(glob: str) -> str:
    """Return the longest run that every match has in it, as far as that can be said without parsing sets."""
    before, _, rest = glob.partition("[")
    # what stands between the first bracket and the last one may be a set of single characters
    return max((*_SPECIAL.split(before), _SPECIAL.split(rest)[-1]), key=len)


def parts_of(name: str, lengths: Iterable[int] | None = None) -> set[str]:
    """Return all that the core of a glob can be which matches a name; with ``lengths`` only parts as long as these."""
    return {
        name[start : start + length]
        for length in (range(1, len(name) + 1) if lengths is None else lengths)
        for start in range(len(name) - length + 1)
    }


def matches(glob: str, name: str) -> bool:
    """Tell whether a glob matches a name, as ``fnmatchcase`` does; most that do not match are found out sooner."""
    before, after = _SPECIAL.split(glob, maxsplit=1)[0], _LAST.split(glob)[-1]
    return name.startswith(before) and name.endswith(after) and fnmatchcase(name, glob)


class GlobIndex:
    """The globs of all feedstocks. Making it takes some seconds for a million of them, finding some microseconds."""

    def __init__(self, globs: Mapping[str, Iterable[str]]) -> None:
        self._by_core: dict[str, list[tuple[str, str]]] = {}
        for feedstock, patterns in globs.items():
            for glob in dict.fromkeys(patterns):
                self._by_core.setdefault(core_of(glob), []).append((glob, feedstock))
        self._lengths = sorted({len(core) for core in self._by_core})

    def feedstocks(self, output: str) -> frozenset[str]:
        """Return the feedstocks that have a glob which matches the name of an output."""
        return frozenset(
            feedstock
            for part in parts_of(output, self._lengths)
            for glob, feedstock in self._by_core.get(part, ())
            if matches(glob, output)
        )
