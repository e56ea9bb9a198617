"""What is found wrong with the audit's chain, each told in a sentence with the ids that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from channeld.catalog.chain import Head, Noted

Rule = Literal[
    "row_altered", "row_missing", "row_added", "seal_changed", "seal_missing", "head_cut_off", "head_differs"
]

_ONE: Final[dict[Rule, str]] = {
    "row_altered": "Row {first} was altered after it was sealed.",
    "row_missing": "Row {first} is missing: it was sealed, and deleted later.",
    "row_added": "Row {first} was put in after the rows around it had been sealed.",
    "seal_changed": (
        "The seal {seal} was changed or put in: it does not follow from the one before it, and what it says of "
        "row {first} proves nothing."
    ),
    "seal_missing": "The seal of row {first} is missing: nothing vouches for it.",
    "head_cut_off": "The chain ends before row {first}, which the noted head covers: its end was cut off.",
    "head_differs": "The chain does not come to the noted head at row {first}: what is there was sealed anew.",
}
_SEVERAL: Final[dict[Rule, str]] = {
    "row_altered": "Rows {first} to {last} were altered after they were sealed.",
    "row_missing": "Rows {first} to {last} are missing: they were sealed, and deleted later.",
    "row_added": "Rows {first} to {last} were put in after the rows around them had been sealed.",
    "seal_changed": (
        "The seal {seal} was changed or put in: it does not follow from the one before it, and what it says of "
        "the rows {first} to {last} proves nothing."
    ),
    "seal_missing": "The seal of the rows {first} to {last} is missing: nothing vouches for them.",
    "head_cut_off": (
        "The chain ends before the rows {first} to {last}, which the noted head covers: its end was cut off."
    ),
    "head_differs": (
        "The noted head is nowhere in the chain: rows from {first} to {last} were changed and sealed anew, or the "
        "end of the chain was cut off and others took its place."
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the first and the last of the rows that it is about."""

    rule: Rule
    first_id: int
    last_id: int
    #: The seal that it is about, by its last_id.
    seal_id: int | None = None

    def sentence(self) -> str:
        """Say what is wrong."""
        texts = _ONE if self.first_id == self.last_id else _SEVERAL
        return texts[self.rule].format(first=self.first_id, last=self.last_id, seal=self.seal_id)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "rule": self.rule,
            "first_id": self.first_id,
            "last_id": self.last_id,
            "seal_id": self.seal_id,
            "sentence": self.sentence(),
        }


def without(noted: Noted, end: Head) -> Finding:
    """Say what it means that a noted head is nowhere in a chain that ends so."""
    if noted.last_id is not None and noted.last_id > end.last_id:
        return Finding("head_cut_off", end.last_id + 1, noted.last_id)
    return Finding("head_differs", 1, end.last_id if noted.last_id is None else noted.last_id)
