"""The two families of errors, and nothing else.

- ``Rejected``: what we were given is wrong. One subclass for each rule; it carries the data of the case, says in one
  sentence what is wrong, and in a second one what to do. Whoever raises it has stored nothing.
- ``Unavailable``: we could not do it now: disk, database, network. Safe to try again.

Misuse by a programmer is neither; it stays a ``TypeError``, ``ValueError`` or ``RuntimeError``.
The table that turns variants into HTTP answers is ``channeld.web.errors``.

Every rule is a dataclass whose fields are the data of the case::

    @dataclass(eq=False)
    class NameMismatch(Rejected):
        claimed: str
        actual: str

        def sentence(self) -> str:
            return f"The file is called {self.claimed!r}, but its info/index.json says {self.actual!r}."

        advice = "Upload it under the name that its metadata gives."
"""

from __future__ import annotations

import re
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar


class ChanneldError(Exception):
    """Base of everything channeld raises on purpose."""

    #: What the reader should do next: one sentence, or empty where the first one says it all.
    advice: ClassVar[str] = ""

    def sentence(self) -> str:
        """Say what is wrong, with the identifiers of the case, as one full sentence."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.sentence()} {self.advice}".rstrip()

    @property
    def code(self) -> str:
        """Name the rule for machines: the class name in snake_case. Stable across releases."""
        return code_of(type(self))

    def detail(self) -> dict[str, Any]:
        """Return the data of the case as JSON-ready values, under the names of the fields."""
        return asdict(self) if is_dataclass(self) else {}

    def for_clients(self) -> ChanneldError:
        """Return what whoever asked may know of it: nothing of where things lie on the server."""
        return self


class Rejected(ChanneldError):
    """What we were given is wrong, and giving it again will not help."""


class Unavailable(ChanneldError):
    """We could not do it now. Nothing is half-done, and trying again later may work."""

    #: Seconds after which a retry makes sense; becomes ``Retry-After``.
    retry_after: ClassVar[int] = 5


def code_of(rule: type[ChanneldError]) -> str:
    """Name a rule for machines."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", rule.__name__).lower()
