"""Globs that say which new outputs a feedstock may have, found by name among a million of them. Pure.

A glob means what Python's ``fnmatch`` says, as at conda-forge: ``*`` any run, ``?`` any one character, ``[a-z]`` and
``[!a-z]`` one of some. Upper and lower case differ. ``fnmatch`` compiles each run between stars to an atomic group,
so a hostile glob takes no longer than the product of the two lengths.

Most globs begin or end with letters that a name has to begin or end with too. Those letters are the keys of the index;
what remains is sifted by the longest run of letters that has to be somewhere inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from channeld.errors import Rejected
from channeld.formats.rejections import shown

#: Characters of a glob; no name of an output is longer than 64.
GLOB_LIMIT: Final = 256

_SPECIAL: Final = re.compile(r"[*?\[\]]")
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
    """Return a glob unchanged; raises ``GlobMalformed``. Those that mean every name, such as ``**``, are refused."""
    if not 2 <= len(text) <= GLOB_LIMIT or not text.isprintable() or not text.strip("*?"):
        raise GlobMalformed(shown(text))
    return text


@dataclass(frozen=True, slots=True)
class _Entry:
    """One glob of one feedstock. ``core`` is in every name that it matches."""

    core: str
    glob: str
    feedstock: str


class GlobIndex:
    """The globs of all feedstocks. It takes some seconds to make for a million; finding takes microseconds."""

    def __init__(self, globs: Mapping[str, Iterable[str]]) -> None:
        self._by_ends: dict[str, dict[str, list[_Entry]]] = {}
        for feedstock, patterns in globs.items():
            for glob in dict.fromkeys(patterns):
                head, tail, core = _literals(glob)
                entry = _Entry(core, glob, feedstock)
                self._by_ends.setdefault(head, {}).setdefault(tail, []).append(entry)
        self._tails = {head: sorted({len(tail) for tail in below}) for head, below in self._by_ends.items()}

    def feedstocks(self, output: str) -> frozenset[str]:
        """Return the feedstocks that have a glob which matches the name of an output."""
        return frozenset(
            entry.feedstock
            for entry in self._possible(output)
            if entry.core in output and fnmatchcase(output, entry.glob)
        )

    def _possible(self, output: str) -> Iterator[_Entry]:
        for end in range(len(output) + 1):
            below = self._by_ends.get(output[:end])
            if below is None:
                continue
            for length in self._tails[output[:end]]:
                if length <= len(output):
                    yield from below.get(output[len(output) - length :], ())


def _literals(glob: str) -> tuple[str, str, str]:
    """Return what every match begins with, ends with and has inside; each may be less than could be said."""
    special = [found.start() for found in _SPECIAL.finditer(glob)]
    if not special:
        return glob, glob, glob
    head, tail = glob[: special[0]], glob[special[-1] + 1 :]
    # what stands behind a bracket may be a set of single characters
    outside = glob.partition("[")[0]
    return head, tail, max((*_SPECIAL.split(outside), tail), key=len)
