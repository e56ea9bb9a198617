"""What became of a copy so far: a state for the whole and for each output, with the reason of a refusal. Pure.

    pinned ──▶ checked ──▶ done       everything that was asked for is in production
       │          │   └──▶ partly     what was in order is, the rest was refused
       └──────────┴──────▶ refused    nothing is, and the reasons are here
                  └──────▶ failed     nothing is: it could not be done, time and again, for trouble on our side

The reasons stand in the words of conda-forge's webservices where they have words for it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson


class State(enum.StrEnum):
    """How far a copy has come."""

    #: It was decided what may be copied, and the bytes of it are held on to.
    PINNED = "pinned"
    #: The bytes have been read, hashed and validated again.
    CHECKED = "checked"
    DONE = "done"
    PARTLY = "partly"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing more will become of it."""
        return self not in (State.PINNED, State.CHECKED)


class Fate(enum.StrEnum):
    """How far one output has come."""

    #: It is in order so far, and its bytes are held on to.
    PINNED = "pinned"
    #: Its bytes have been found in order as well.
    CHECKED = "checked"
    #: Production had it, with these bytes and under the label.
    THERE = "there"
    COPIED = "copied"
    REFUSED = "refused"
    #: It was in order, and is not copied because others of the request were not.
    WITHHELD = "withheld"

    @property
    def under_way(self) -> bool:
        """Whether it is still to be decided."""
        return self in (Fate.PINNED, Fate.CHECKED, Fate.THERE)

    @property
    def copied(self) -> bool:
        """Whether production has it now, or, while the copy is under way, had it before."""
        return self in (Fate.COPIED, Fate.THERE)


@dataclass(frozen=True, slots=True)
class OutputOutcome:
    """What became of one output."""

    #: Its key in the request.
    key: str
    fate: Fate
    #: The bytes that are meant, hex; "" while that is not known.
    sha256: str = ""
    #: Why it is refused or withheld.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a copy so far."""

    outputs: tuple[OutputOutcome, ...] = ()
    #: What is wrong with the request as a whole, or with all of its outputs.
    problems: tuple[str, ...] = ()
    #: What kept it from going on when it was last tried, and how often it was tried.
    trouble: str = ""
    attempts: int = 0
    #: When it came to each state, ms.
    times: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[str, ...]:
        """Everything that is wrong, in words."""
        refused = (output.reason for output in self.outputs if output.fate is Fate.REFUSED)
        return tuple(dict.fromkeys((*self.problems, *refused)))

    @property
    def refused(self) -> tuple[OutputOutcome, ...]:
        return tuple(output for output in self.outputs if output.fate is Fate.REFUSED)

    @property
    def copied(self) -> tuple[OutputOutcome, ...]:
        return tuple(output for output in self.outputs if output.fate.copied)

    def with_outputs(self, change: Callable[[OutputOutcome], OutputOutcome]) -> Outcome:
        """Return it with each output changed."""
        return replace(self, outputs=tuple(map(change, self.outputs)))

    def withheld(self) -> Outcome:
        """Return it with nothing copied: what is not refused by itself is withheld."""

        def withhold(output: OutputOutcome) -> OutputOutcome:
            return replace(output, fate=Fate.WITHHELD) if output.fate.under_way else output

        return self.with_outputs(withhold)

    def at(self, state: State, now_ms: int) -> Outcome:
        """Return it with the time at which it came to a state."""
        return replace(self, times={**self.times, state.value: now_ms})

    def written(self) -> bytes:
        """Return it as JSON, for the copy's row."""
        return orjson.dumps(asdict(self))

    @classmethod
    def read(cls, data: bytes) -> Outcome:
        """Read what ``written`` returned."""
        fields: dict[str, Any] = orjson.loads(data)
        outputs = tuple(_output(each) for each in fields["outputs"])
        return cls(**{**fields, "outputs": outputs, "problems": tuple(fields["problems"])})


def _output(fields: dict[str, Any]) -> OutputOutcome:
    return OutputOutcome(**{**fields, "fate": Fate(fields["fate"])})


def final_state(outcome: Outcome) -> State:
    """Return the state of a copy whose outputs have all been decided for good."""
    copied = [output.fate.copied for output in outcome.outputs]
    if not outcome.problems and all(copied):
        return State.DONE
    return State.PARTLY if any(copied) else State.REFUSED
