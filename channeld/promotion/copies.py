"""Copies: outputs on their way from a staging channel into production. A decision about bytes, not about names.

    begin      first transaction (``accepting``): every output is judged, the copy is written down, its bytes are pinned
    carry_out  the pinned bytes are read, hashed and validated again (``checking``); then the last transaction
               (``concluding``): judged once more by what is true now, and added to production

``carry_out`` is the one way through: for a request that waits for its copy, for one that does not, and for a copy that
a crash or trouble broke off, which ``take_up`` finds. It may be done by two at once, and again at any time: the last
transaction happens once, and whoever comes later finds what it wrote down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy import Connection

from channeld.catalog import channels, copies
from channeld.catalog.copies import Copy, Pin
from channeld.catalog.database import Database
from channeld.catalog.rejections import ChannelMissing
from channeld.clock import Clock
from channeld.errors import ChanneldError, Rejected, Unavailable
from channeld.promotion.accepting import Ticket, accept, first_outcome
from channeld.promotion.asking import Asked
from channeld.promotion.checking import Checker, naming_of
from channeld.promotion.concluding import conclude, kept_together, refuse_all
from channeld.promotion.deciding import Standings, decide_about
from channeld.promotion.outcomes import Fate, Outcome, OutputOutcome, State, final_state

log = logging.getLogger(__name__)

_THREADS: Final = 4
#: Between two signs of life of somebody who reads large files.
_BEAT_SECONDS: Final = 5.0
#: Without a sign of life for so long, a copy was broken off.
BROKEN_OFF_SECONDS: Final = 60.0
#: For how long a copy is tried again that meets trouble on our side, and how often one that meets a defect.
_TRIED_SECONDS: Final = 24 * 3600.0
_DEFECTS: Final = 5


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a request."""

    state: State
    outcome: Outcome


class Copies:
    """Copies into the channels of one instance. Its calls block, but for ``carried_out`` and ``carry_out_later``.

    ``on_finished`` is called, on any thread, with each copy that ``carry_out`` or ``take_up`` has brought to its end.
    """

    def __init__(
        self,
        database: Database,
        registry: Standings,
        checker: Checker,
        clock: Clock,
        on_finished: Callable[[Copy], None] = lambda copy: None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._checker = checker
        self._clock = clock
        self._on_finished = on_finished
        self._started_ms = clock.now_ms()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="copies")

    def close(self) -> None:
        """Finish the copies under way. Those that wait for their turn are taken up at the next start."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def begin(self, connection: Connection, asked: Asked, ticket: Ticket) -> Copy:
        """Decide about a request, write it down and pin its bytes: one transaction.

        Raises:
            ChannelMissing: there is no channel to copy from, or into.
            RequestKeyReused: the key is that of another request.
        """
        return accept(connection, self._registry, asked, ticket, self._clock.now_ms())

    async def carried_out(self, copy: Copy) -> Copy:
        """Carry a copy out on a thread; raises as ``carry_out`` does.

        Raises:
            ChannelMissing: its channel, and it with it, has been deleted meanwhile.
        """
        if State(copy.state).final:
            return copy
        done = await asyncio.get_running_loop().run_in_executor(self._threads, self.carry_out, copy.id)
        if done is None:
            raise ChannelMissing(Asked.read(copy.asked).channel)
        return done

    def carry_out_later(self, copy: Copy) -> None:
        """Have a copy carried out for which nobody waits."""
        if not State(copy.state).final:
            self._threads.submit(self._try_to_carry_out, copy)

    def carry_out(self, copy_id: str) -> Copy | None:
        """Bring a copy to its end; None for one that is not there (any more).

        Raises:
            Unavailable: disk or database; the copy stays as far as it has come, and is taken up again.
        """
        if not self.check(copy_id):
            return self._database.read_now(partial(copies.find, copy_id=copy_id))
        return self.conclude(copy_id)

    def check(self, copy_id: str) -> bool:
        """Read, hash and validate the bytes that a copy holds on to; tell whether it is still to be concluded.

        Raises:
            Unavailable: disk or database.
        """
        found = self._database.read_now(partial(_under_way, copy_id=copy_id))
        if found is None:
            return False
        naming = naming_of(found.production)
        beat = self._beat(copy_id)
        problems = {_key(pin): self._checker.problem_of(pin, naming, beat) for pin in found.pins}
        return self._database.write_now(
            lambda connection: _write_checked(connection, copy_id, problems, self._clock.now_ms())
        )

    def conclude(self, copy_id: str) -> Copy | None:
        """Bring into production what is in order, of a copy whose bytes have been checked.

        Raises:
            Unavailable: disk or database.
        """
        try:
            return self._finished(
                lambda connection: conclude(
                    connection, self._registry, self._holds, copy_id, self._clock.now_ms()
                )
            )
        except Rejected as error:
            return self._end(copy_id, State.REFUSED, error)

    def rehearse(self, asked: Asked) -> Rehearsal:
        """Say what would become of a request now, with its bytes read, and change nothing.

        Raises:
            ChannelMissing: there is no channel to copy into.
            Unavailable: disk or database.
        """
        decision = self._database.read_now(
            lambda connection: decide_about(connection, asked, self._registry, self._clock.now_ms())
        )
        outcome, naming = first_outcome(asked, decision), naming_of(decision.production)
        pins = {decided.verdict.key: decided.pin for decided in decision.outputs}

        def check(output: OutputOutcome) -> OutputOutcome:
            pin = pins[output.key]
            if output.fate is not Fate.PINNED or pin is None:
                return output
            problem = self._checker.problem_of(pin, naming, lambda: None)
            return _after_check(output, problem)

        outcome = kept_together(asked, outcome.with_outputs(check))
        outcome = outcome.with_outputs(
            lambda output: replace(output, fate=Fate.COPIED) if output.fate is Fate.CHECKED else output
        )
        return Rehearsal(final_state(outcome), outcome)

    async def rehearsed(self, asked: Asked) -> Rehearsal:
        """Rehearse a request on a thread; raises as ``rehearse`` does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.rehearse, asked)

    def take_up(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Carry out the copies that were broken off; returns how many were finished.

        Broken off are those that nobody has worked on for a while, or since before this process started. One that
        somebody else works on all the same comes to no harm.

        Raises:
            Unavailable: the database.
        """
        now_ms = self._clock.now_ms()
        since_ms = max(now_ms - round(BROKEN_OFF_SECONDS * 1000), self._started_ms - 1)
        finished = 0
        for copy in self._database.read_now(partial(copies.unfinished, untouched_since_ms=since_ms)):
            if stopping():
                break
            claim = partial(copies.claim, copy=copy, now_ms=self._clock.now_ms())
            if self._database.write_now(claim):
                finished += self._try_to_carry_out(copy)
        return finished

    def _try_to_carry_out(self, copy: Copy) -> bool:
        try:
            done = self.carry_out(copy.id)
        except Unavailable as error:
            log.warning("The copy %s could not be carried out, and is tried again later. %s", copy.id, error)
            self._note(copy, error)
        except Exception as error:
            log.exception("The copy %s met a defect.", copy.id)
            self._note(copy, error)
        else:
            if done is not None and State(done.state).final:
                return True
        return False

    def _note(self, copy: Copy, error: Exception) -> None:
        """Write down what kept a copy from going on, or end it when it was tried for long enough."""
        attempts = Outcome.read(copy.outcome).attempts + 1
        age = (self._clock.now_ms() - copy.created_ms) / 1000
        enough = age >= _TRIED_SECONDS if isinstance(error, Unavailable) else attempts >= _DEFECTS
        if enough:
            self._end(copy.id, State.FAILED, error)
        else:
            trouble = "it met a defect of channeld"
            if isinstance(error, Unavailable):
                trouble = str(error.for_clients())
            self._database.write_now(
                lambda connection: _write_trouble(connection, copy.id, trouble, attempts)
            )

    def _end(self, copy_id: str, state: State, error: Exception) -> Copy | None:
        problem = "It met a defect of channeld."
        if isinstance(error, ChanneldError):
            problem = error.for_clients().sentence()
        return self._finished(
            lambda connection: refuse_all(connection, copy_id, state, problem, self._clock.now_ms())
        )

    def _finished(self, work: Callable[[Connection], tuple[Copy | None, bool]]) -> Copy | None:
        """Run what may finish a copy, and tell of it if it did."""
        copy, newly = self._database.write_now(work)
        if copy is not None and newly:
            self._on_finished(copy)
        return copy

    def sweep(self, keep_seconds: float, stopping: Callable[[], bool] = lambda: False) -> int:
        """Forget the copies that were finished long ago; returns how many.

        Raises:
            Unavailable: the database.
        """
        before_ms = self._clock.now_ms() - round(keep_seconds * 1000)
        count = 0
        while not stopping():
            gone = self._database.write_now(partial(copies.forget, before_ms=before_ms))
            count += gone
            if not gone:
                break
        return count

    def _holds(self, pin: Pin) -> bool:
        return self._checker.blobs.holds(pin.sha256, pin.size)

    def _beat(self, copy_id: str) -> Callable[[], None]:
        """Return what says, now and then, that the work on a copy goes on."""
        last = self._clock.monotonic()

        def beat() -> None:
            nonlocal last
            if self._clock.monotonic() - last >= _BEAT_SECONDS:
                now_ms = self._clock.now_ms()
                self._database.write_now(partial(copies.still_at_work, copy_id=copy_id, now_ms=now_ms))
                last = self._clock.monotonic()

        return beat


@dataclass(frozen=True, slots=True)
class _UnderWay:
    production: channels.Channel
    pins: list[Pin]


def _under_way(connection: Connection, copy_id: str) -> _UnderWay | None:
    """Read what is needed to check an unfinished copy."""
    copy = copies.find(connection, copy_id)
    if copy is None or State(copy.state).final:
        return None
    production = channels.get(connection, Asked.read(copy.asked).channel)
    return _UnderWay(production, copies.pinned(connection, copy_id))


def _write_checked(connection: Connection, copy_id: str, problems: Mapping[str, str], now_ms: int) -> bool:
    """Write down what became of the checks, unless somebody else has finished the copy."""
    copy = copies.lock(connection, copy_id)
    if copy is None or State(copy.state).final:
        return False

    def change(output: OutputOutcome) -> OutputOutcome:
        waits = output.key in problems and output.fate in (Fate.PINNED, Fate.CHECKED)
        return _after_check(output, problems[output.key]) if waits else output

    outcome = Outcome.read(copy.outcome).with_outputs(change).at(State.CHECKED, now_ms)
    copies.update(
        connection, replace(copy, state=State.CHECKED, outcome=outcome.written(), updated_ms=now_ms)
    )
    return True


def _after_check(output: OutputOutcome, problem: str) -> OutputOutcome:
    if not problem:
        return replace(output, fate=Fate.CHECKED)
    return replace(output, fate=Fate.REFUSED, reason=f"output {output.key} {problem}")


def _write_trouble(connection: Connection, copy_id: str, trouble: str, attempts: int) -> None:
    copy = copies.lock(connection, copy_id)
    if copy is not None and not State(copy.state).final:
        outcome = replace(Outcome.read(copy.outcome), trouble=trouble, attempts=attempts)
        copies.update(connection, replace(copy, outcome=outcome.written()))


def _key(pin: Pin) -> str:
    return f"{pin.subdir}/{pin.filename}"
