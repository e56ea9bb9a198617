"""Rule: a feedstock token is verified on threads of its own, as slowly for every wrong one, and not too often."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from channeld.catalog.feedstocks import MOST_THAT_COUNT, KeptToken
from channeld.promotion.feedstocktokens import RANDOM_BYTES, TokenRow
from channeld.promotion.tokenchecks import (
    WINDOW_SECONDS,
    TokenChecks,
    TokenChecksBusy,
    TokenLimits,
    TooManyTokenChecks,
)
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
RIGHT, OLD, WRONG = "right", "old", "wrong"


def kept(number: int, text: str, provider: str | None = None, expires_ms: int | None = None) -> KeptToken:
    return KeptToken(number, b"salt of", f"digest of {text}".encode(), provider, expires_ms)


class Counted:
    """Stands in for scrypt: counts, and waits while it is held."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.urgency: list[int] = []
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def verify(self, row: TokenRow, token: str) -> bool:
        with self._lock:
            self.threads.append(threading.current_thread().name)
            self.urgency.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            self.running += 1
            self.most = max(self.most, self.running)
        self._open.wait(10)
        with self._lock:
            self.running -= 1
        return row.digest == f"digest of {token}".encode()

    def hold(self) -> None:
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    @property
    def count(self) -> int:
        return len(self.threads)


@pytest.fixture
def scrypt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counted = Counted()

    def is_of(row: TokenRow, token: str) -> bool:  # a function becomes a method of the class
        return counted.verify(row, token)

    monkeypatch.setattr(TokenRow, "is_of", is_of)
    yield counted
    counted.let_go()


Make = Callable[..., TokenChecks]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[TokenChecks] = []

    def make_one(clock: ManualClock | None = None, **limits: int) -> TokenChecks:
        made.append(TokenChecks(clock or ManualClock(NOW), TokenLimits(**limits)))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


async def check(
    checks: TokenChecks,
    rows: Any = (),
    text: str = WRONG,
    provider: str | None = None,
    *,
    feedstock: str = "numpy",
    address: str = "192.0.2.1",
) -> int | None:
    return await checks.check(rows, text, provider, feedstock=feedstock, address=address)


async def refusal(checks: TokenChecks, **options: Any) -> str | None:
    """Return of what there were too many; None if a token was verified."""
    try:
        await check(checks, **options)
    except TooManyTokenChecks as error:
        return error.of
    return None


async def test_the_row_that_matches_is_told(make: Make, scrypt: Counted) -> None:
    rows = (kept(1, OLD), kept(2, RIGHT, "azure"), kept(3, "other"))
    checks = make()
    assert await check(checks, rows, RIGHT, "azure") == 2
    assert await check(checks, rows, OLD) == 1
    assert await check(checks, rows, OLD, "azure") == 1


async def test_what_does_not_count_does_not_match(make: Make, scrypt: Counted) -> None:
    clock = ManualClock(NOW)
    checks = make(clock)
    rows = (kept(1, RIGHT, "azure"), kept(2, OLD, None, NOW + 1000))
    assert await check(checks, rows, RIGHT) is None
    assert await check(checks, rows, RIGHT, "travis") is None
    assert await check(checks, rows, OLD) == 2
    clock.advance(seconds=1)
    assert await check(checks, rows, OLD) is None
    assert await check(checks, None, RIGHT) is None
    revoked = KeptToken(3, b"salt of", b"", None, None)
    assert await check(checks, (revoked,), RIGHT) is None


async def test_no_token_is_no_work(make: Make, scrypt: Counted) -> None:
    assert await check(make(), (kept(1, RIGHT),), "") is None
    assert scrypt.count == 0


async def test_no_token_counts_as_a_wrong_one(make: Make, scrypt: Counted) -> None:
    """Its refusal is kept, and told to the feedstock, so it must not be had as often as anybody likes."""
    by_address = make(failures_per_address=2, failures_per_feedstock=0)
    assert [await refusal(by_address, text="", feedstock=name) for name in "abc"] == [None, None, "address"]
    by_feedstock = make(failures_per_address=0, failures_per_feedstock=2)
    places = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert [await refusal(by_feedstock, text="", address=each) for each in places] == [
        None,
        None,
        "feedstock",
    ]
    assert scrypt.count == 0


@pytest.mark.parametrize(
    ("rows", "provider"),
    [
        (None, None),
        ((), None),
        ((kept(1, RIGHT),), None),
        ((kept(1, RIGHT, "azure"),), None),
        ((kept(1, RIGHT, "azure"),), "azure"),
        ((kept(1, RIGHT, None, NOW),), None),
        (tuple(kept(number, RIGHT) for number in range(MOST_THAT_COUNT)), None),
        (tuple(kept(number, RIGHT) for number in range(50)), None),
    ],
    ids=[
        "unknown",
        "none",
        "one",
        "other provider",
        "its provider",
        "ended",
        "as many as may be",
        "too many",
    ],
)
async def test_every_wrong_token_costs_the_same(
    make: Make, scrypt: Counted, rows: tuple[KeptToken, ...] | None, provider: str | None
) -> None:
    assert await check(make(), rows, WRONG, provider) is None
    assert scrypt.count == MOST_THAT_COUNT


async def test_the_newest_rows_are_those_that_count(make: Make, scrypt: Counted) -> None:
    rows = (kept(1, RIGHT), *(kept(number, OLD) for number in range(2, 2 + MOST_THAT_COUNT)))
    checks = make()
    assert await check(checks, rows, RIGHT) is None
    assert await check(checks, rows, OLD) == 1 + MOST_THAT_COUNT


async def test_the_time_tells_nothing(make: Make) -> None:
    """With the real scrypt: what varies between runs is more than what varies between feedstocks."""
    checks = make(failures_per_address=0, failures_per_feedstock=0, threads=1)
    real = [await checks.make(bytes([number]) * RANDOM_BYTES) for number in range(2)]
    rows = [KeptToken(number, one.row.salt, one.row.digest, None, None) for number, one in enumerate(real)]
    cases: dict[str, Any] = {"unknown": None, "one": rows[:1], "two": rows}
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(2):
        for name, known in cases.items():
            started = time.process_time()
            assert await check(checks, known, "f" * 64) is None
            times[name].append(time.process_time() - started)
    least = [min(each) for each in times.values()]
    assert max(least) < 1.5 * min(least)


async def test_right_tokens_are_those_of_conda_smithy(make: Make) -> None:
    checks = make()
    text, salt = "0" * 64, bytes(64)
    digest = hashlib.scrypt(text.encode(), salt=salt, n=16384, r=8, p=1, dklen=256)
    assert await check(checks, (KeptToken(7, salt, digest, None, None),), text) == 7
    made = await checks.make(bytes(range(RANDOM_BYTES)), "azure", NOW)
    row = KeptToken(8, made.row.salt, made.row.digest, made.row.provider, None)
    assert await check(checks, (row,), made.text, "azure") == 8
    assert made.row.expires_at == NOW / 1000


async def test_verifying_leaves_the_loop_alone(make: Make, scrypt: Counted) -> None:
    checks = make(threads=2)
    scrypt.hold()
    waiting = [asyncio.create_task(check(checks, feedstock=str(n), address=str(n))) for n in range(5)]
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in waiting)
    scrypt.let_go()
    assert await asyncio.gather(*waiting) == [None] * 5
    assert scrypt.most == 2
    assert all(name.startswith("feedstock-token") for name in scrypt.threads)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread is as urgent as its process")
async def test_verifying_is_less_urgent_than_serving(make: Make, scrypt: Counted) -> None:
    await check(make())
    assert min(scrypt.urgency) > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_an_address_may_fail_so_often_in_a_minute(make: Make, scrypt: Counted) -> None:
    clock = ManualClock(NOW)
    checks = make(clock, failures_per_address=3)
    for number in range(3):
        assert await refusal(checks, feedstock=f"f{number}") is None
        clock.advance(seconds=1)
    verified = scrypt.count
    assert await refusal(checks, rows=(kept(1, RIGHT),), text=RIGHT) == "address"
    assert scrypt.count == verified
    assert await refusal(checks, address="192.0.2.2") is None
    clock.advance(seconds=WINDOW_SECONDS - 3)
    assert await refusal(checks) is None


async def test_a_feedstock_known_or_not_may_be_failed_so_often(make: Make, scrypt: Counted) -> None:
    clock = ManualClock(NOW)
    for rows in (None, (kept(1, RIGHT),)):
        checks = make(clock, failures_per_feedstock=3)
        for number in range(3):
            assert await refusal(checks, rows=rows, address=f"192.0.2.{number}") is None
        assert await refusal(checks, rows=rows, address="192.0.2.9") == "feedstock"
        assert await refusal(checks, rows=rows, address="192.0.2.9", feedstock="scipy") is None


async def test_right_tokens_are_no_failures(make: Make, scrypt: Counted) -> None:
    checks = make(failures_per_address=2, failures_per_feedstock=2)
    many = [check(checks, (kept(1, RIGHT),), RIGHT) for _ in range(100)]
    assert await asyncio.gather(*many) == [1] * 100


async def test_zero_sets_no_limit(make: Make, scrypt: Counted) -> None:
    checks = make(failures_per_address=0, failures_per_feedstock=0)
    assert [await refusal(checks) for _ in range(200)] == [None] * 200


async def test_a_network_of_ipv6_is_one_sender(make: Make, scrypt: Counted) -> None:
    checks = make(failures_per_address=2)
    assert await refusal(checks, address="2001:db8::1") is None
    assert await refusal(checks, address="2001:db8::ffff:2") is None
    assert await refusal(checks, address="2001:db8::3") == "address"
    assert await refusal(checks, address="2001:db8:0:1::3") is None
    assert await refusal(checks, address="unknown") is None


async def test_a_burst_is_refused_as_soon_as_enough_failed(make: Make, scrypt: Counted) -> None:
    checks = make(threads=2, failures_per_address=4)
    scrypt.hold()
    burst = [asyncio.create_task(refusal(checks)) for _ in range(50)]
    await asyncio.sleep(0.05)
    other = asyncio.create_task(check(checks, (kept(1, RIGHT),), RIGHT, address="192.0.2.2"))
    await asyncio.sleep(0.05)
    scrypt.let_go()
    assert await other == 1
    outcomes = await asyncio.gather(*burst)
    assert 4 <= outcomes.count(None) <= 5
    assert outcomes.count("address") == 50 - outcomes.count(None)


async def test_so_many_wait_and_no_more(make: Make, scrypt: Counted) -> None:
    checks = make(threads=1, waiting=2)
    scrypt.hold()
    waiting = [asyncio.create_task(check(checks, address=str(number))) for number in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(TokenChecksBusy):
        await check(checks, address="one too many")
    with pytest.raises(TokenChecksBusy):
        await checks.make(bytes(RANDOM_BYTES))
    scrypt.let_go()
    assert await asyncio.gather(*waiting) == [None] * 3
    assert await check(checks, (kept(1, RIGHT),), RIGHT) == 1


async def test_who_goes_away_frees_the_place_with_the_thread_and_has_failed(
    make: Make, scrypt: Counted
) -> None:
    checks = make(threads=1, waiting=1, failures_per_address=1)
    scrypt.hold()
    first = asyncio.create_task(check(checks, address="gone"))
    second = asyncio.create_task(check(checks, address="waits"))
    await asyncio.sleep(0.05)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0.05)
    assert (first.done(), second.done()) == (False, True)
    assert await refusal(checks, address="waits") == "address"
    scrypt.let_go()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await refusal(checks, address="gone") == "address"
    assert await check(checks, (kept(1, RIGHT),), RIGHT) == 1


async def test_many_names_take_no_memory(
    make: Make, scrypt: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.promotion.tokenchecks._COUNTED", 10)
    checks = make(failures_per_address=0, failures_per_feedstock=1)
    for number in range(50):
        assert await refusal(checks, feedstock=f"{number}" + "x" * 10_000) is None
    assert len(checks._feedstocks._counts) == 10
    assert max(map(len, checks._feedstocks._counts)) < 100
    assert await refusal(checks, feedstock="49" + "x" * 20_000) == "feedstock"


async def test_closed_checks_verify_nothing(make: Make, scrypt: Counted) -> None:
    checks = make()
    checks.close()
    with pytest.raises(TokenChecksBusy):
        await check(checks)
