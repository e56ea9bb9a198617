"""Why a package is not taken, as it is kept and told."""

from __future__ import annotations

from dataclasses import dataclass

from channeld.errors import Rejected


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule's name for machines, its sentence, and what to do."""

    code: str
    sentence: str
    advice: str = ""

    @classmethod
    def of(cls, error: Rejected) -> Refusal:
        return cls(error.code, error.sentence(), error.advice)
