"""Applying requests: planned on a snapshot, made ready, planned once more under lock, and done in one transaction.

A request is done whole or not at all: when one of its entries is refused, nothing of it is done, and the result says so
of each. Done again it changes nothing, but for a reset of tokens, which makes new ones whenever it is applied.
A dry run goes the same way up to the transaction, and stops there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, Final

from sqlalchemy import Connection

from channeld.catalog import candidates, channels
from channeld.catalog.channels import Channel
from channeld.catalog.database import Database
from channeld.errors import Rejected, Unavailable
from channeld.promotion import handcopies
from channeld.promotion.checking import Checker
from channeld.promotion.handcopies import Checked, plan_copying
from channeld.promotion.requestplans import (
    Caller,
    Fate,
    Plan,
    Step,
    kept_together,
    plan_archiving,
    plan_marking,
    plan_registering,
)
from channeld.promotion.requests import Action, Archiving, Copying, Marking, Registering, Request, TokenReset
from channeld.promotion.tokenresets import MadeToken, MakeToken, make_tokens, plan_reset

#: Requests whose packages are read at the same time.
_THREADS: Final = 1


@dataclass(eq=False)
class RequestWithoutChannel(Rejected):
    """Neither the request nor whoever applies it says which channel it is about."""

    name: str

    advice: ClassVar[str] = "Give it the key `channel`, or name a channel for all requests that have none."

    def sentence(self) -> str:
        return f"{self.name} does not say which channel it is about."


@dataclass(eq=False)
class RequestAboutStaging(Rejected):
    """Requests are about what is published."""

    channel: str

    advice: ClassVar[str] = "Name the channel that it promotes to."

    def sentence(self) -> str:
        return f"The channel {self.channel!r} is for staging, and requests are about channels that publish."


@dataclass(eq=False)
class RequestsClosing(Unavailable):
    """The server is being stopped, and what a request is about was still being read."""

    advice: ClassVar[str] = "Nothing was done; apply the request again shortly."

    def sentence(self) -> str:
        return "The server is being stopped."


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a request, or would."""

    channel: str
    action: Action
    #: Its entries, in their order.
    steps: tuple[Step, ...]
    #: The revision of the channel that has it; 0 where nothing changed.
    revision: int = 0
    #: Tokens just made, which are never shown again.
    tokens: tuple[MadeToken, ...] = field(default=(), repr=False)

    @property
    def fate(self) -> Fate:
        """What became of it as a whole."""
        fates = {step.fate for step in self.steps}
        order = (Fate.REFUSED, Fate.DONE, Fate.WOULD_BE_DONE)
        return next((fate for fate in order if fate in fates), Fate.UNCHANGED)


@dataclass(eq=False)
class RequestRefused(Rejected):
    """Some entries of a request are refused, so nothing of it was done. ``entries`` tells of each, in their order."""

    channel: str
    action: str
    entries: tuple[dict[str, str], ...]

    advice: ClassVar[str] = "Correct these entries or leave them out, and apply the request again."

    def sentence(self) -> str:
        refused = [entry for entry in self.entries if entry["outcome"] == Fate.REFUSED]
        return (
            f"{len(refused)} of {len(self.entries)} entries of the request {self.action} are refused, and nothing of "
            f"it was done. {refused[0]['key']}: {refused[0]['text']}"
        ).removesuffix(".") + "."

    @classmethod
    def of(cls, applied: Applied) -> RequestRefused:
        """Say what became of a request that is refused."""
        return cls(applied.channel, applied.action, tuple(map(entry_of, applied.steps)))


def entry_of(step: Step) -> dict[str, str]:
    """Return what became of an entry, as JSON has it."""
    return {
        "key": step.entry.key,
        "subject": str(step.entry),
        "outcome": step.fate.value,
        "text": step.text,
        "rule": step.rule,
    }


@dataclass(frozen=True, slots=True)
class _Ready:
    """What was made ready outside of any transaction."""

    #: What is known of the bytes that are to be copied; None before they were read.
    checks: Mapping[str, Checked] | None = None
    tokens: tuple[MadeToken, ...] = field(default=(), repr=False)


class Requests:
    """Applies requests to the channels of one instance. For the event loop."""

    def __init__(self, database: Database, checker: Checker) -> None:
        self._database = database
        self._checker = checker
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="requests")
        self._closing = False

    def close(self) -> None:
        """End what is under way, as long as nothing of it was done."""
        self._closing = True
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def rehearse(self, request: Request, channel: str, caller: Caller) -> Applied:
        """Say what would become of a request, with bytes read as if it were done, and change nothing.

        Raises:
            ChannelMissing, RequestAboutStaging: as they say.
            RequestsClosing, Unavailable: the server is being stopped; disk or database.
        """
        checks = await self._checks(request, channel, caller)
        steps = await self._planned(request, channel, caller, _Ready(checks))
        return Applied(channel, request.action, steps)

    async def apply(
        self,
        request: Request,
        channel: str,
        caller: Caller,
        make_token: MakeToken,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Applied:
        """Do what a request says, all of it or nothing.

        Raises:
            ChannelMissing, RequestAboutStaging: as they say.
            RequestsClosing, Unavailable: the server is being stopped; disk or database.
        """
        ready = _Ready(await self._checks(request, channel, caller))
        if isinstance(request.work, TokenReset):
            steps = await self._planned(request, channel, caller, ready)
            if any(step.fate is Fate.REFUSED for step in steps):
                return Applied(channel, request.action, steps)
            ready = _Ready(tokens=await make_tokens(request.work, make_token, randomness))
        return await self._database.write(
            lambda connection: self._carry_out(connection, request, channel, caller, ready)
        )

    async def _planned(
        self, request: Request, channel: str, caller: Caller, ready: _Ready
    ) -> tuple[Step, ...]:
        def plan(connection: Connection) -> tuple[Step, ...]:
            found = _about(channels.get(connection, channel))
            return kept_together(_plan(connection, found, request, caller, ready).steps)

        return await self._database.read(plan)

    async def _checks(self, request: Request, channel: str, caller: Caller) -> Mapping[str, Checked] | None:
        """Read the bytes of what is to be copied."""
        work = request.work
        if not isinstance(work, Copying):
            return None

        def look(connection: Connection) -> tuple[Channel, handcopies.CopyingPlan]:
            found = _about(channels.get(connection, channel))
            return found, plan_copying(connection, found, work, caller)

        found, plan = await self._database.read(look)

        def go_on() -> None:
            if self._closing:
                raise RequestsClosing

        go_on()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, handcopies.check, plan, found, self._checker, go_on)

    def _carry_out(
        self, connection: Connection, request: Request, name: str, caller: Caller, ready: _Ready
    ) -> Applied:
        locked = channels.lock(connection, {name, *_sources(connection, request)})
        channel = _about(locked[name])
        plan = _plan(connection, channel, request, caller, ready)
        if isinstance(plan, handcopies.CopyingPlan):
            plan = handcopies.hold(connection, plan, self._checker)
        steps = kept_together(plan.steps)
        if all(step.fate is not Fate.WOULD_BE_DONE for step in steps):
            return Applied(name, request.action, steps)
        plan.carry_out(connection, channel, caller.actor)
        revision = channels.get(connection, name).revision
        return Applied(name, request.action, _done(steps), revision, ready.tokens)


def _about(channel: Channel) -> Channel:
    if candidates.is_staging(channel):
        raise RequestAboutStaging(channel.name)
    return channel


def _sources(connection: Connection, request: Request) -> set[str]:
    """Return the channels that files are copied from, as far as they are there."""
    if not isinstance(request.work, Copying):
        return set()
    names = {entry.source for entry in request.work.entries}
    return {name for name in names if channels.find(connection, name) is not None}


def _done(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(
        Step(step.entry, Fate.DONE, step.text) if step.fate is Fate.WOULD_BE_DONE else step for step in steps
    )


def _plan(connection: Connection, channel: Channel, request: Request, caller: Caller, ready: _Ready) -> Plan:
    work = request.work
    if isinstance(work, Marking):
        return plan_marking(connection, channel, work, caller)
    if isinstance(work, Archiving):
        return plan_archiving(connection, channel, work, caller)
    if isinstance(work, Registering):
        return plan_registering(connection, channel, work, caller)
    if isinstance(work, TokenReset):
        return plan_reset(connection, channel, work, caller, ready.tokens)
    return plan_copying(connection, channel, work, caller, ready.checks)
