"""Checking feedstock tokens: on threads of their own, as slow for every wrong one, and not as often as anybody likes.

A wrong token costs ``MOST_THAT_COUNT`` verifications, whether the feedstock has that many tokens, fewer, none, or is
not known at all: the time that a refusal takes tells nothing. So few tokens of a feedstock may count at a time, the
newest, and a right one ends the check where it is found, which only its holder sees.

What is limited are failures: of an address, of IPv6 of a /64 network, which one machine may have all of; and of a
feedstock, known or not. Beyond the limit a token is refused unverified, also a right one: that it is right is what
would take the time. An address waits for its own checks, so that a burst from one keeps no other waiting, and what
still waits when the limit is reached is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar
from weakref import WeakValueDictionary

from channeld.catalog.feedstocks import MOST_THAT_COUNT, KeptToken
from channeld.clock import Clock
from channeld.errors import Rejected, Unavailable
from channeld.formats.rejections import shown
from channeld.promotion.feedstocktokens import NOBODYS, NewFeedstockToken, TokenRow, new_token
from channeld.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Over how long failures are counted.
WINDOW_SECONDS: Final = 60.0
#: How many addresses, and how many feedstocks, are counted at a time; the ones that were quiet longest are forgotten.
_COUNTED: Final = 10_000
#: Characters of a feedstock's name that count; no name is longer.
_NAME_LIMIT: Final = 80
#: By how much verifying is less urgent than everything else: while both want the cores, whoever is served goes first.
_NICENESS: Final = 5
#: Bits of an IPv6 address that name a network; the others are its machine's to choose.
_NETWORK_BITS: Final = 64


@dataclass(eq=False)
class TooManyTokenChecks(Rejected):
    """Too many wrong feedstock tokens came from one address, or for one feedstock."""

    #: "address" or "feedstock".
    of: str
    which: str

    advice: ClassVar[str] = "Wait a minute, and check the token."

    def sentence(self) -> str:
        where = f"from {self.which}" if self.of == "address" else f"for the feedstock {self.which!r}"
        return f"Too many wrong feedstock tokens came {where}."


@dataclass(eq=False)
class TokenChecksBusy(Unavailable):
    """So many tokens wait to be verified that one more would wait too long."""

    waiting: int

    def sentence(self) -> str:
        return f"{self.waiting} feedstock tokens are being verified at the moment."


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How much verifying is done at a time, and how often it may fail in a minute; 0 failures set no limit."""

    threads: int = 2
    waiting: int = 256
    failures_per_address: int = 30
    failures_per_feedstock: int = 120

    @classmethod
    def of(cls, settings: Settings) -> TokenLimits:
        """Read the settings."""
        promotion = settings.promotion
        return cls(
            promotion.token_check_threads,
            promotion.token_checks_waiting,
            promotion.token_failures_by_address_per_minute,
            promotion.token_failures_by_feedstock_per_minute,
        )


class TokenChecks:
    """Verifies feedstock tokens. For the event loop's thread; the verifying is done on others."""

    def __init__(self, clock: Clock, limits: TokenLimits) -> None:
        self._clock = clock
        self._room = limits.threads + limits.waiting
        self._under_way = 0
        self._threads = ThreadPoolExecutor(limits.threads, "feedstock-token", _step_back)
        self._addresses = _Failures("address", limits.failures_per_address, clock)
        self._feedstocks = _Failures("feedstock", limits.failures_per_feedstock, clock)
        self._gates = _Gates(limits.threads)

    async def check(
        self,
        kept: Sequence[KeptToken] | None,
        text: str,
        provider: str | None,
        *,
        feedstock: str,
        address: str,
    ) -> int | None:
        """Return the id of the token that a text is, None if it is none that counts.

        Args:
            kept: what is kept of the feedstock's tokens; None for an unknown feedstock.
            text: what was sent. The empty text is no token: it is not verified, and counts as a wrong one, because the
                refusal is written down and told to the feedstock like any other.
            provider: the CI service that asks.
            feedstock: its name, known or not; for the limit.
            address: where the request came from; for the limit.

        Raises:
            TooManyTokenChecks: too many failed.
            TokenChecksBusy: too many are under way.
        """
        sender, name = _network(address), feedstock[:_NAME_LIMIT]
        self._refuse_if_too_many(sender, name)
        if not text:
            self._count_failure(sender, name)
            return None
        rows = _compared(kept or (), provider, self._clock.now_ms())
        with self._place():
            async with self._gates.of(sender):
                self._refuse_if_too_many(sender, name)
                failed = True  # also if whoever asked goes away: the time was spent
                try:
                    found = await self._run(lambda: _first_match(rows, text))
                    failed = found is None
                finally:
                    if failed:
                        self._count_failure(sender, name)
        return found

    def _count_failure(self, sender: str, feedstock: str) -> None:
        self._addresses.add(sender)
        self._feedstocks.add(feedstock)

    def _refuse_if_too_many(self, sender: str, feedstock: str) -> None:
        self._addresses.check(sender)
        self._feedstocks.check(feedstock)

    async def make(
        self, randomness: bytes, provider: str | None = None, expires_ms: int | None = None
    ) -> NewFeedstockToken:
        """Make a token, of ``feedstocktokens.RANDOM_BYTES`` random bytes; it takes as long as a verification.

        Raises:
            TokenChecksBusy: too many verifications are under way.
        """
        expires_at = None if expires_ms is None else expires_ms / 1000
        with self._place():
            return await self._run(lambda: new_token(randomness, provider, expires_at))

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places of those that are verified or wait for it."""
        if self._under_way >= self._room:
            raise TokenChecksBusy(self._room)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            verifying = self._threads.submit(work)
        except RuntimeError:  # it is being closed
            raise TokenChecksBusy(self._under_way) from None
        answer = asyncio.wrap_future(verifying)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # whoever asked has gone; the place is free when the thread is
            if not verifying.cancel():
                await asyncio.wait([answer])
            raise

    def close(self) -> None:
        """Finish what is under way, and refuse what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Make a thread less urgent, which only Linux does for a thread by itself."""
    if sys.platform == "linux":
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + _NICENESS)


def _compared(
    kept: Sequence[KeptToken], provider: str | None, now_ms: int
) -> list[tuple[int | None, TokenRow]]:
    """Return what a token is compared with: those that count, the newest first, and as many in all as ever."""
    counting = [each for each in reversed(kept) if each.counts(provider, now_ms)][:MOST_THAT_COUNT]
    rows: list[tuple[int | None, TokenRow]] = [
        (each.id, TokenRow(each.salt, each.digest)) for each in counting
    ]
    return rows + [(None, NOBODYS)] * (MOST_THAT_COUNT - len(rows))


def _first_match(rows: Sequence[tuple[int | None, TokenRow]], text: str) -> int | None:
    return next((number for number, row in rows if row.is_of(text)), None)


def _network(address: str) -> str:
    """Return what is counted as one sender."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))


class _Gates:
    """Lets each sender do so much at a time, and wait for the rest."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._open: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, sender: str) -> asyncio.Semaphore:
        """Return the gate of a sender, which lasts while somebody passes or waits."""
        gate = self._open.get(sender)
        if gate is None:
            gate = self._open[sender] = asyncio.Semaphore(self._width)
        return gate


class _Failures:
    """Counts failures by name, over a window that begins with the first one."""

    def __init__(self, of: str, most: int, clock: Clock) -> None:
        self._of = of
        self._most = most
        self._clock = clock
        #: Since when, and how many; by name.
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, name: str) -> None:
        """Raise ``TooManyTokenChecks`` if there were too many failures."""
        since, failed = self._counts.get(name, (0.0, 0))
        if self._most and failed >= self._most and self._clock.monotonic() - since < WINDOW_SECONDS:
            raise TooManyTokenChecks(self._of, shown(name))

    def add(self, name: str) -> None:
        """Count one more."""
        now = self._clock.monotonic()
        since, failed = self._counts.pop(name, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, failed = now, 0
        self._counts[name] = since, failed + 1
        if len(self._counts) > _COUNTED:
            self._counts.popitem(last=False)
        if failed + 1 == self._most:
            log.warning("Feedstock tokens are refused for a minute", extra={self._of: shown(name)})
