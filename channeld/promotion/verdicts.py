"""What becomes of a request to copy outputs from staging to production: facts in, a verdict for each output out. Pure.

The rules stand in the order in which they are asked, and the first that speaks decides; ``_RULES`` is the table.
Texts are conda-forge-webservices' where it has them, because people search for them.

What differs from it:

- A file that production has under the name counts as copied only if its bytes are those that were asked for. Other
  bytes are refused, and the candidate stays where it is.
- The same request again is accepted also after the candidate has gone from staging: production says that it is done.
- Several candidates may have one name. The asserted hash says which is meant; where an md5 fits several, none is.
- An archived feedstock publishes nothing, and what was deleted from production does not come back this way.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from channeld.promotion.distnames import DistName, malformed
from channeld.promotion.outputs import Standing

HASH_TYPES: Final = ("md5", "sha256")


@dataclass(frozen=True, slots=True)
class Places:
    """The two channels, by the names that texts give them."""

    staging: str = "cf-staging"
    production: str = "conda-forge"


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request and of who sends it, apart from its outputs."""

    #: The name of the repository, with ``-feedstock``.
    feedstock: str
    feedstock_exists: bool
    feedstock_archived: bool
    token_ok: bool
    #: The label to be copied from and to; None where the request names none.
    label: str | None
    hash_type: str
    #: Whether the request says which outputs.
    names_outputs: bool = True
    #: The hashes by which production lets bytes be named.
    hash_types: tuple[str, ...] = HASH_TYPES


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a channel. The hashes are of the bytes that are stored, hex."""

    md5: str
    sha256: str
    labels: frozenset[str]
    #: It was deleted; its name stays taken.
    deleted: bool = False

    def has(self, hash_type: str, value: str) -> bool:
        """Tell whether it has a hash."""
        kept = self.md5 if hash_type == "md5" else self.sha256
        return hmac.compare_digest(kept.encode(), value.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Output:
    """What is known of one output of a request."""

    #: Its key in the request.
    key: str
    #: The hash that the request asserts, hex.
    hash: str
    #: Whether its feedstock may publish it.
    standing: Standing
    #: What staging has under the name, deleted files left out.
    candidates: tuple[Stored, ...]
    #: What production has under the name, or had.
    production: Stored | None


class Outcome(enum.Enum):
    """What is to be done."""

    COPY = "copy"
    #: Production has it under the label.
    DONE = "done"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one output."""

    key: str
    outcome: Outcome
    #: Why it is refused; empty otherwise.
    reason: str = ""
    #: Which candidate is copied, or is no longer needed.
    candidate: Stored | None = None
    #: Whether it is to be registered for the feedstock with the copy.
    registers: bool = False

    @property
    def accepted(self) -> bool:
        return self.outcome is not Outcome.REFUSE


def refusals(request: Request) -> tuple[str, ...]:
    """Return what is wrong with a request as a whole, in conda-forge-webservices' order; nothing when all is well."""
    found = []
    if not request.names_outputs:
        found.append("no outputs data sent for copy")
    if request.label is None:
        found.append("no label sent for copy")
    if not request.feedstock_exists:
        found.append(f"feedstock {request.feedstock} does not exist")
    elif request.feedstock_archived:
        found.append(f"feedstock {request.feedstock} is archived")
    if not request.token_ok:
        found.append("invalid feedstock token")
    if request.hash_type not in HASH_TYPES:
        found.append("invalid hash type")
    elif request.hash_type not in request.hash_types:
        found.append(f"hash type {request.hash_type} is not taken here; send {request.hash_types[0]}")
    return tuple(found)


def decide(request: Request, output: Output, places: Places | None = None) -> Verdict:
    """Say what becomes of an output."""
    case = _Case(request, output, places or Places(), _fitting(request, output))
    for rule in _RULES:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    return case.accept(Outcome.COPY)


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that a rule looks at."""

    request: Request
    output: Output
    places: Places
    #: The candidates that have the asserted hash and the label alone.
    fitting: tuple[Stored, ...]

    @property
    def same_in_production(self) -> Stored | None:
        """What production has, if that has the asserted hash and the label."""
        there = self.output.production
        if there is None or there.deleted or not there.has(self.request.hash_type, self.output.hash):
            return None
        return there if self.request.label in there.labels else None

    def refuse(self, reason: str) -> Verdict:
        return Verdict(self.output.key, Outcome.REFUSE, reason)

    def accept(self, outcome: Outcome) -> Verdict:
        candidate = self.fitting[0] if self.fitting else None
        registers = self.output.standing is Standing.NEW
        return Verdict(self.output.key, outcome, "", candidate, registers)


def _fitting(request: Request, output: Output) -> tuple[Stored, ...]:
    return tuple(
        candidate
        for candidate in output.candidates
        if candidate.labels == {request.label} and candidate.has(request.hash_type, output.hash)
    )


def _request_is_in_order(case: _Case) -> Verdict | None:
    wrong = refusals(case.request)
    return case.refuse(wrong[0]) if wrong else None


def _name_is_well_formed(case: _Case) -> Verdict | None:
    key = case.output.key
    return case.refuse(malformed(key)) if DistName.parse(key) is None else None


def _candidate_is_there(case: _Case) -> Verdict | None:
    if case.fitting or case.same_in_production is not None:
        return None
    return case.refuse(
        f"output {case.output.key} does not have a valid checksum or correct label on {case.places.staging}"
    )


def _candidate_is_one(case: _Case) -> Verdict | None:
    if len({candidate.sha256 for candidate in case.fitting}) <= 1:
        return None
    return case.refuse(
        f"output {case.output.key} has several candidates with this {case.request.hash_type} on "
        f"{case.places.staging}; send its sha256"
    )


def _output_is_allowed(case: _Case) -> Verdict | None:
    if case.output.standing.allowed:
        return None
    return case.refuse(
        f"output {case.output.key} not allowed for {case.places.production}/{case.request.feedstock}"
    )


def _name_is_free(case: _Case) -> Verdict | None:
    there, key, production = case.output.production, case.output.key, case.places.production
    if there is None:
        return None
    if there.deleted:
        return case.refuse(f"output {key} was deleted from {production}")
    if not case.fitting or there.sha256 == case.fitting[0].sha256:
        return None
    return case.refuse(
        f"output {key} exists on {production} with different content (sha256 {there.sha256} there, "
        f"sha256 {case.fitting[0].sha256} on {case.places.staging})"
    )


def _work_is_left(case: _Case) -> Verdict | None:
    return case.accept(Outcome.DONE) if case.same_in_production is not None else None


_RULES: Final[tuple[Callable[[_Case], Verdict | None], ...]] = (
    _request_is_in_order,
    _name_is_well_formed,
    _candidate_is_there,
    _candidate_is_one,
    _output_is_allowed,
    _name_is_free,
    _work_is_left,
)
