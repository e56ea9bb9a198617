"""Match specifications in ``depends`` and ``constrains``: whether clients can read them, and how ``v3`` writes them.

The parser is rattler's, in its lenient mode, in which rattler and pixi read repodata (CEP 29). Most specs of a channel
repeat, so answers are kept.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from rattler import MatchSpec
from rattler.exceptions import CanonicalMatchSpecError, InvalidMatchSpecError

from channeld.formats.metadata_rejections import DependencyMalformed, DependencyNotAllowed
from channeld.formats.names import Naming
from channeld.formats.rejections import shown

#: What may qualify a dependency in v3 (CEP 48), and what moves a record there (CEP 43, 44, 45).
_V3_ALLOWED: Final = frozenset({"version", "build", "build_number", "when", "extras", "flags"})
_V3_ONLY: Final = frozenset({"when", "extras", "flags"})

#: The longest spec that is parsed, in characters. Real ones have below 200; conditions may be longer.
_LENGTH_LIMIT: Final = 2048
#: rattler's parser panics at a build number that does not fit in 64 bits, and so does every pixi that meets one.
_HUGE_NUMBER: Final = re.compile(r"[0-9]{19,}")
#: key=value pairs of the canonical form, whose values are quoted or lists.
_PAIR: Final = re.compile(r'([a-z0-9_]+)=(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])')


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known of a spec: its bracket form (CEP 48), the keys in it, or why it cannot be read."""

    canonical: str = ""
    keys: frozenset[str] = frozenset()
    error: str = ""


@functools.lru_cache(maxsize=65_536)
def find_problem(text: str) -> str:
    """Return why a spec cannot be read, or nothing."""
    if len(text) > _LENGTH_LIMIT:
        return f"it has more than {_LENGTH_LIMIT} characters"
    if not text.isprintable():
        return "it has control characters or line breaks"
    if _crashes_clients(text):
        return "a number in it is too large"
    try:
        MatchSpec(text)
    except InvalidMatchSpecError as error:
        return shown(str(error))
    except BaseException as error:
        # A panic of the Rust parser, whose class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        return "it cannot be parsed"
    return ""


@functools.lru_cache(maxsize=4096)
def parse_spec(text: str) -> Spec:
    """Parse one spec; a broken one gives a ``Spec`` with an error."""
    if problem := find_problem(text):
        return Spec(error=problem)
    try:
        canonical = MatchSpec(text).to_canonical_string()
    except CanonicalMatchSpecError as error:
        return Spec(error=shown(str(error)))
    return Spec(canonical, frozenset(_PAIR.findall(canonical.partition("[")[2])))


def _crashes_clients(text: str) -> bool:
    return "build_number" in text and _HUGE_NUMBER.search(text) is not None


def check_specs(field: str, specs: list[str], naming: Naming) -> bool:
    """Check the specs of a record, and return whether one of them moves the record to v3 (CEP 43, 44, 45).

    Under ``Naming.LEGACY`` a spec that cannot be parsed is let through: to rattler it makes the one record
    unsolvable, to others it may mean something. Not so what makes a client crash.

    Raises:
        DependencyMalformed
    """
    needs_v3 = False
    for text in specs:
        problem = find_problem(text)
        if problem and (naming is Naming.STRICT or _crashes_clients(text)):
            raise DependencyMalformed(field, shown(text), problem)
        if "[" in text and not problem:
            needs_v3 = needs_v3 or not _V3_ONLY.isdisjoint(parse_spec(text).keys)
    return needs_v3


def to_v3(field: str, specs: list[str]) -> list[str]:
    """Return the specs in the form of v3: a bare name, or a name and brackets, never positional (CEP 48).

    Raises:
        DependencyMalformed, DependencyNotAllowed
    """
    written = []
    for text in specs:
        spec = parse_spec(text)
        if spec.error:
            raise DependencyMalformed(field, shown(text), spec.error)
        if other := spec.keys - _V3_ALLOWED:
            raise DependencyNotAllowed(field, shown(text), min(other))
        written.append(spec.canonical)
    return written
