"""Version order and dependency matching as conda's classic solver knows them, on py-rattler.

Order and match specs are rattler's own; compared with conda 26.7 on 175,000 pairs of real versions and 665,000
pairs of a real dependency and a real record, the two never differ. Only the meaning of ``name=1.0`` for versions of
unlike length does (``in_series``).

Dependencies come out of uploaded packages, so a pattern may be hostile: all patterns are matched by rattler, whose
regular expressions do not backtrack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from rattler import BuildString, MatchSpec, NamelessMatchSpec, PackageRecord, Subdir, Version, VersionSpec
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError, InvalidVersionSpecError

from channeld.formats.matchspecs import find_problem

# Patterns of builds are few ("*_cpython", "py27_*"), and so are the builds that they meet.
_BUILD_CACHE: Final = 16_384


def parse_version(text: str) -> Version | None:
    """Parse a version (CEP 33); ``None`` where rattler cannot."""
    try:
        return Version(text)
    except InvalidVersionError:
        return None


def in_series(version: Version, head: Version) -> bool:
    """Tell whether conda's ``=<head>`` takes a version: 1.2 takes 1.2.3 and 1.2rc1, not 1.20.

    Rattler fills the shorter one up with zeros, and so lets ``=1.0.0`` take 1.0rc1. Conda does not: a version
    with fewer segments than the head has to be equal to it.
    """
    if not version.starts_with(head):
        return False
    if head.has_local:
        return version.strip_local() == head.strip_local()
    return version.segment_count >= head.segment_count or version.strip_local() == head


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a dependency asks of a record: its name, and perhaps its version and its build.

    Channel, subdir and what stands in brackets beside version and build are left out of account: a dependency
    that asks for more is taken as one that asks for less.
    """

    name: str
    version: VersionSpec | None
    build: str | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a match spec (CEP 29); ``None`` where rattler cannot, or where it names no single package."""
        # The parser panics at some build numbers. Cheaply ruled out for nearly all specs.
        if "build_number" in text and find_problem(text):
            return None
        try:
            spec = MatchSpec(text)
            version = VersionSpec(spec.version) if spec.version else None
        except (InvalidMatchSpecError, InvalidVersionSpecError):
            return None
        return cls(spec.name.normalized, version, spec.build)

    @property
    def any_will_do(self) -> bool:
        """Whether every record of that name satisfies it."""
        return self.version is None and self.build is None

    def accepts(self, version: Version, build: str) -> bool:
        """Tell whether a record of that name with this version and build satisfies it."""
        if self.version is not None and not self.version.matches(version):
            return False
        return self.build is None or build_accepted(self.build, build)


@lru_cache(_BUILD_CACHE)
def build_accepted(pattern: str, build: str) -> bool:
    """Tell whether a build string is the one asked for: exactly, by ``*`` glob, or by ``^…$`` regular expression."""
    if "*" not in pattern and not pattern.startswith("^"):
        return pattern == build
    spec = _build_spec(pattern)
    return spec is not None and spec.matches(
        PackageRecord(
            name="any",
            version="0",
            build=BuildString.new_unchecked(build),
            build_number=0,
            subdir=Subdir("noarch"),
        )
    )


@lru_cache(_BUILD_CACHE)
def _build_spec(pattern: str) -> NamelessMatchSpec | None:
    try:
        return NamelessMatchSpec(f"* {pattern}")
    except InvalidMatchSpecError:  # it came quoted, and means something else without its quotes
        return None
