"""The first transaction of a copy: it is decided, written down, and its bytes are pinned.

From here on the copy is about bytes: what becomes of the candidates that had them changes nothing any more. What is
refused altogether is finished with this transaction, and so is what production has already.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Connection

from channeld.catalog import channels, copies
from channeld.catalog.copies import Copy, Pin
from channeld.errors import Rejected
from channeld.promotion.asking import MD5, Asked
from channeld.promotion.concluding import Conclusion, kept_together
from channeld.promotion.deciding import Decided, Decision, Standings, decide_about
from channeld.promotion.outcomes import Fate, Outcome, OutputOutcome, State
from channeld.promotion.verdicts import Outcome as Sentence

log = logging.getLogger(__name__)


@dataclass(eq=False)
class RequestKeyReused(Rejected):
    """A client names a request by a key that another one has (draft-ietf-httpapi-idempotency-key-header)."""

    copy: str

    advice: ClassVar[str] = "Give every new request a new Idempotency-Key, and a repeated one its old one."

    def sentence(self) -> str:
        return f"The key of this request belongs to another request, which became the copy {self.copy}."


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a new copy is called: by us, and by its client, if it has a name for it."""

    copy_id: str
    request_key: str | None = None


def first_outcome(asked: Asked, decision: Decision) -> Outcome:
    """Say what becomes of a request so far, in the order of its outputs."""
    outcome = Outcome(tuple(map(_output, decision.outputs)), decision.problems)
    return kept_together(asked, outcome)


def _output(decided: Decided) -> OutputOutcome:
    verdict = decided.verdict
    fate = {Sentence.COPY: Fate.PINNED, Sentence.DONE: Fate.THERE, Sentence.REFUSE: Fate.REFUSED}
    return OutputOutcome(verdict.key, fate[verdict.outcome], decided.sha256, verdict.reason)


def accept(connection: Connection, registry: Standings, asked: Asked, ticket: Ticket, now_ms: int) -> Copy:
    """Decide about a request and write it down; the same request again, by its key, finds its copy.

    Raises:
        ChannelMissing: there is no channel to copy from, or into.
        RequestKeyReused: the key is that of another request.
    """
    production = channels.lock(connection, {asked.channel, asked.staging})[asked.channel]
    if ticket.request_key is not None:
        there = copies.find_by_key(connection, production.id, ticket.request_key)
        if there is not None:
            if Asked.read(there.asked).fingerprint() != asked.fingerprint():
                raise RequestKeyReused(there.id)
            return there
    decision = decide_about(connection, asked, registry, now_ms)
    outcome = first_outcome(asked, decision)
    pins = _pins(decision, outcome)
    held = copies.hold(connection, (pin.artifact_id for pin in pins))
    swept = [pin for pin in pins if pin.artifact_id not in held]
    if swept:
        outcome = kept_together(asked, _without(outcome, swept))
        pins = _pins(decision, outcome)
    if asked.hash_type == MD5:
        _warn(asked)
    # where nothing is to be read there is nothing to be checked either
    state = State.PINNED if pins else State.CHECKED
    copy = Copy(
        id=ticket.copy_id,
        channel_id=production.id,
        staging=asked.staging,
        feedstock=asked.feedstock,
        state=state,
        asked=asked.written(),
        outcome=outcome.at(state, now_ms).written(),
        revision=0,
        request_key=ticket.request_key,
        created_ms=now_ms,
        updated_ms=now_ms,
        finished_ms=None,
    )
    copies.insert(connection, copy)
    copies.pin(connection, copy.id, pins)
    return copy if pins else Conclusion(connection, asked, decision, now_ms).conclude(copy, outcome)


def _pins(decision: Decision, outcome: Outcome) -> list[Pin]:
    """Return what a copy has to hold on to."""
    wanted = {output.key for output in outcome.outputs if output.fate is Fate.PINNED}
    return [
        decided.pin
        for decided in decision.outputs
        if decided.verdict.key in wanted and decided.pin is not None
    ]


def _without(outcome: Outcome, swept: list[Pin]) -> Outcome:
    gone = {f"{pin.subdir}/{pin.filename}" for pin in swept}

    def refuse(output: OutputOutcome) -> OutputOutcome:
        if output.key not in gone:
            return output
        return replace(output, fate=Fate.REFUSED, reason=f"output {output.key} has lost its stored bytes")

    return outcome.with_outputs(refuse)


def _warn(asked: Asked) -> None:
    log.warning(
        "A request to copy into %s names its outputs by md5, which anybody can make fit other bytes; the sha256 taken "
        "at upload counts.",
        asked.channel,
        extra={"feedstock": asked.feedstock, "origin": asked.asker.origin},
    )
