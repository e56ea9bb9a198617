"""What a key of the settings may hold.

- ``key()`` declares a key beside its default: the text of the reference, and the ``Rule`` that its value keeps.
- ``kind_of()`` turns the type of a field into a ``Kind``: how the value is written in TOML and in the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, beyond its type. ``must`` completes the sentence "It must be …"."""

    must: str
    holds: Callable[[Any], bool]


def between(least: int, most: int | None = None) -> Rule:
    """Allow whole numbers from ``least`` to ``most``, both included."""
    if most is None:
        return Rule(f"a whole number of at least {least}", lambda value: bool(value >= least))
    return Rule(f"a whole number from {least} to {most}", lambda value: bool(least <= value <= most))


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


_PUBLIC_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s/?#]+)*"
)
#: CEP 26, "Subdir names".
_SUBDIR: Final = re.compile(r"noarch|(?=.{1,32}\Z)[a-z0-9]+-[a-z0-9]+")

NOT_EMPTY: Final = Rule("a text that is not empty", lambda value: value != "")
PUBLIC_URL: Final = Rule(
    "empty, or an http:// or https:// URL without credentials, query and final slash",
    lambda value: value == "" or bool(_PUBLIC_URL.fullmatch(value)),
)
NETWORKS: Final = Rule(
    "a list of networks in CIDR notation without host bits, such as 10.0.0.0/8",
    lambda value: all(_is_network(each) for each in value),
)
DATABASE_URL: Final = Rule(
    "empty, or a URL that begins with sqlite:/// or postgresql://",
    lambda value: value == "" or value.startswith(("sqlite:///", "postgresql://")),
)
SUBDIRS: Final = Rule(
    "a list of different subdirs (CEP 26) with noarch among them",
    lambda value: (
        "noarch" in value and len(set(value)) == len(value) and all(_SUBDIR.fullmatch(each) for each in value)
    ),
)


def key(default: T, text: str, *, rule: Rule | None = None, secret: bool = False) -> T:
    """Declare a key of a section. ``text`` is its entry in the reference; a ``secret`` is never shown."""
    declared: T = field(
        default=default, repr=not secret, metadata={"text": text, "rule": rule, "secret": secret}
    )
    return declared


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one type are written. Both readers answer None for what is not of this kind."""

    words: str
    from_toml: Callable[[object], object]
    from_text: Callable[[str], object]


def _same_type(kind: type) -> Callable[[object], object]:
    # ``type() is`` and not isinstance(): for Python true is a whole number, for an operator it is a mistake.
    return lambda value: value if type(value) is kind else None


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(value)


_WHOLE: Final = Kind(
    "a whole number",
    _same_type(int),
    lambda text: int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None,
)
_TEXT: Final = Kind("a text", _same_type(str), str)
_PATH: Final = Kind(
    "a path",
    lambda value: Path(value) if isinstance(value, str) and value else None,
    lambda text: Path(text) if text else None,
)
_LIST: Final = Kind(
    "a list of texts",
    _texts,
    lambda text: tuple(part.strip() for part in text.split(",")) if text.strip() else (),
)


def kind_of(hint: Any) -> Kind:
    """Return how values of an annotated type are written.

    Raises:
        TypeError: no key has been of this type before; teach this function.
    """
    if get_origin(hint) is Literal:
        return _TEXT
    kinds: dict[Any, Kind] = {int: _WHOLE, str: _TEXT, Path: _PATH, tuple[str, ...]: _LIST}
    if hint not in kinds:
        raise TypeError(f"Settings cannot be of type {hint}.")
    return kinds[hint]


def rule_of(hint: Any, rule: Rule | None) -> Rule | None:
    """Return the rule that values keep: the declared one, or "one of these" for a ``Literal``."""
    if get_origin(hint) is not Literal:
        return rule
    choices = get_args(hint)
    return Rule(f"{', '.join(choices[:-1])} or {choices[-1]}", lambda value: value in choices)
