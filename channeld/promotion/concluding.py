"""The last transaction of a copy: everything is decided once more, and what is in order goes into production.

It is one transaction: the files with their label, the outputs that are registered with them, the candidates that are
no longer needed, the pins, the copy's own row and the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from channeld.catalog import audit, candidates, channels, copies, copying, files, outputs
from channeld.catalog.audit import Actor, Change
from channeld.catalog.copies import Copy, Pin
from channeld.promotion.asking import Asked, Extent
from channeld.promotion.comments import comment
from channeld.promotion.deciding import Decided, Decision, Standings, decide_about
from channeld.promotion.outcomes import Fate, Outcome, OutputOutcome, State, final_state
from channeld.promotion.verdicts import Outcome as Sentence

#: Tells whether the bytes of a pin are in their place.
Holds = Callable[[Pin], bool]


def conclude(
    connection: Connection, registry: Standings, holds: Holds, copy_id: str, now_ms: int
) -> tuple[Copy | None, bool]:
    """Finish a copy whose bytes have been checked, and tell whether that was not done before. None: there is none.

    Raises:
        ChannelMissing: one of its channels is just being deleted.
    """
    copy = copies.find(connection, copy_id)
    if copy is None or State(copy.state).final:
        return copy, False
    asked = Asked.read(copy.asked)
    names = [name for name in (asked.channel, asked.staging) if channels.find(connection, name) is not None]
    channels.lock(connection, names)
    copy = copies.lock(connection, copy_id)
    if copy is None or copy.state != State.CHECKED:
        return copy, False
    outcome = Outcome.read(copy.outcome)
    meant = {output.key: output.sha256 for output in outcome.outputs if output.fate.under_way}
    pins = copies.pinned(connection, copy_id)
    decision = decide_about(connection, asked.resolved(meant), registry, now_ms, pins)
    missing = {f"{pin.subdir}/{pin.filename}" for pin in pins if not holds(pin)}
    outcome = kept_together(asked, _decided_again(outcome, decision, missing))
    return Conclusion(connection, asked, decision, now_ms).conclude(copy, outcome), True


def kept_together(asked: Asked, outcome: Outcome) -> Outcome:
    """Withhold everything where all is to be copied or nothing, and something is refused."""
    refused = bool(outcome.problems or outcome.refused)
    return outcome.withheld() if refused and asked.extent is Extent.ALL else outcome


def _decided_again(outcome: Outcome, decision: Decision, missing: set[str]) -> Outcome:
    """Apply to what is still under way what is true now."""
    now = {decided.verdict.key: decided.verdict for decided in decision.outputs}

    def change(output: OutputOutcome) -> OutputOutcome:
        verdict = now.get(output.key)
        if verdict is None:
            return output
        reason = verdict.reason
        if verdict.outcome is Sentence.COPY and output.fate is not Fate.CHECKED:
            reason = f"output {output.key} was changed on production meanwhile; send the request again"
        elif verdict.outcome is Sentence.COPY and output.key in missing:
            reason = f"output {output.key} has lost its stored bytes"
        if reason:
            return replace(output, fate=Fate.REFUSED, reason=reason)
        return replace(output, fate=Fate.THERE) if verdict.outcome is Sentence.DONE else output

    return replace(outcome, problems=decision.problems).with_outputs(change)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Carries a decision out."""

    connection: Connection
    asked: Asked
    decision: Decision
    now_ms: int

    @property
    def _actor(self) -> Actor:
        return _actor_of(self.asked, self.now_ms)

    def conclude(self, copy: Copy, outcome: Outcome) -> Copy:
        """Bring into production what is not refused, and write down what became of the copy."""
        accepted = {output.key for output in outcome.outputs if output.fate.under_way}
        decided = [each for each in self.decision.outputs if each.verdict.key in accepted]
        revision = self._carry_out(decided) if decided else 0
        outcome = outcome.with_outputs(_carried_out)
        state = final_state(outcome)
        finished = replace(
            copy,
            state=state,
            outcome=outcome.at(state, self.now_ms).written(),
            revision=revision,
            updated_ms=self.now_ms,
            finished_ms=self.now_ms,
        )
        copies.unpin(self.connection, copy.id)
        copies.update(self.connection, finished)
        audit.record_each(self.connection, self._actor, _written_down(self.asked, finished, outcome))
        return finished

    def _carry_out(self, decided: Sequence[Decided]) -> int:
        """Return the revision of production that has it all."""
        revision = self.decision.production.revision
        for each in decided:
            if each.verdict.outcome is Sentence.COPY:
                revision = max(revision, self._add(each))
        self._register(decided)
        self._remove_candidates(decided)
        return revision

    def _add(self, decided: Decided) -> int:
        assert decided.pin is not None
        assert self.asked.label is not None
        artifact = copying.artifact_of(self.connection, decided.pin.artifact_id)
        labels = (self.asked.label,)
        return files.add(self.connection, self.asked.channel, artifact, labels, self._actor).revision

    def _register(self, decided: Sequence[Decided]) -> None:
        feedstock = self.decision.feedstock
        if feedstock is not None:
            new = [
                (each.dist.file.name, feedstock) for each in decided if each.dist and each.verdict.registers
            ]
            outputs.register_each(self.connection, self.decision.production, new, self._actor)

    def _remove_candidates(self, decided: Sequence[Decided]) -> None:
        """Take from staging what is in production now, as far as it is there under the label."""
        staging = channels.find(self.connection, self.asked.staging)
        if staging is None or not candidates.is_staging(staging):
            return
        wanted = {each.place: each.sha256 for each in decided if each.place is not None}
        there = candidates.candidates_at(self.connection, staging, wanted)
        promoted = [
            candidate.file.id
            for place, found in there.items()
            for candidate in found
            if candidate.file.sha256 == wanted[place] and set(candidate.labels) == {self.asked.label}
        ]
        candidates.remove_candidates(self.connection, staging, promoted, self._actor)


def _written_down(asked: Asked, copy: Copy, outcome: Outcome) -> list[Change]:
    """Say what was copied, and what was refused with the text that a bot would comment."""
    about: dict[str, Any] = {"feedstock": asked.feedstock, "label": asked.label}
    if asked.asker.feedstock_token is not None:
        about["feedstock_token"] = asked.asker.feedstock_token
    changes = []
    if outcome.copied:
        done = {**about, "outputs": [output.key for output in outcome.copied]}
        changes.append(Change("copy.done", asked.channel, copy.id, after=done, revision=copy.revision))
    if outcome.errors:
        refused = {
            **about,
            "outputs": {output.key: output.reason for output in outcome.refused},
            "errors": list(outcome.errors),
            "comment": comment(asked, outcome) if asked.tells else "",
        }
        action = "copy.fail" if copy.state == State.FAILED else "copy.refuse"
        changes.append(Change(action, asked.channel, copy.id, after=refused))
    return changes


def _carried_out(output: OutputOutcome) -> OutputOutcome:
    return replace(output, fate=Fate.COPIED) if output.fate in (Fate.PINNED, Fate.CHECKED) else output


def refuse_all(
    connection: Connection, copy_id: str, state: State, problem: str, now_ms: int
) -> tuple[Copy | None, bool]:
    """Finish a copy of which nothing can be carried out: refused, or failed for trouble on our side."""
    copy = copies.lock(connection, copy_id)
    if copy is None or State(copy.state).final:
        return copy, False
    asked = Asked.read(copy.asked)
    outcome = Outcome.read(copy.outcome).withheld()
    outcome = replace(outcome, problems=(*outcome.problems, problem)).at(state, now_ms)
    # what failed may be asked for again by the same key
    key = None if state is State.FAILED else copy.request_key
    finished = replace(
        copy,
        state=state,
        outcome=outcome.written(),
        request_key=key,
        updated_ms=now_ms,
        finished_ms=now_ms,
    )
    copies.unpin(connection, copy_id)
    copies.update(connection, finished)
    audit.record_each(connection, _actor_of(asked, now_ms), _written_down(asked, finished, outcome))
    return finished, True


def _actor_of(asked: Asked, now_ms: int) -> Actor:
    return Actor(asked.asker.actor, asked.asker.origin, now_ms, asked.asker.reason)
