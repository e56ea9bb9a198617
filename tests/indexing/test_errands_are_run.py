"""Rule: whoever helps, and however slowly: every call is done, results come in order, and few calls are under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from channeld.indexing import errands
from channeld.indexing.errands import Errands

HERE = threading.get_ident()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def who(number: int) -> tuple[int, bool]:
    """Return the number, and whether it was done by the one who gives calls away."""
    return number, threading.get_ident() == HERE


def all_results(given: Errands[Any], count: int) -> list[Any]:
    ready = [result for number in range(count) for result in given.give(number)]
    return [*ready, *given.rest()]


def test_results_come_in_the_order_of_the_calls(threads: ThreadPoolExecutor) -> None:
    assert [number for number, _ in all_results(Errands(threads, who), 100)] == list(range(100))


class Busy(Executor):
    """Takes calls, and does them when it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[Future[Any], Any, tuple[Any, ...]]] = []

    def submit(self, function: Any, /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.taken.append((future, function, args))
        return future

    def work(self) -> None:
        for future, function, args in self.taken:
            if future.set_running_or_notify_cancel():
                future.set_result((*function(*args)[:1], False))
        self.taken.clear()


def test_what_a_busy_helper_does_not_take_is_done_here() -> None:
    helper = Busy()
    given = Errands(helper, who)
    assert [given.give(number) for number in range(10)] == [[]] * 10
    assert [args for _, _, args in helper.taken] == [(0,), (1,), (2,), (3,)]
    helper.work()
    assert list(given.rest()) == [(number, number >= 4) for number in range(10)]


def test_no_more_than_some_results_wait_for_a_helper_that_is_stuck() -> None:
    helper = Busy()
    given = Errands(helper, who)
    for number in range(16):
        assert given.give(number) == []
    threading.Timer(0.05, helper.work).start()
    assert given.give(16)[0] == (0, False)  # which it has waited for


def test_calls_that_are_given_up_are_not_begun() -> None:
    helper = Busy()
    given = Errands(helper, who)
    given.give(0)
    given.cancel()
    (future,) = [future for future, _, _ in helper.taken]
    assert future.cancelled()
    assert list(given.rest()) == []


def test_what_a_helper_was_at_that_ended_is_done_here_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    helper = Busy()
    given = Errands(helper, who)
    for number in range(3):
        given.give(number)
    for future, _, _ in helper.taken:
        future.set_exception(BrokenExecutor())
    ready = given.give(3)
    assert [*ready, *given.give(4), *given.rest()] == [(number, True) for number in range(5)]
    assert len(helper.taken) == 3  # nothing more is given to it
    assert [record.message for record in caplog.records] == [
        "A helper process ended unexpectedly. What it is for is done without it."
    ]


class Ended(Executor):
    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor


def test_what_no_helper_takes_is_done_here() -> None:
    assert all_results(Errands(Ended(), who), 3) == [(0, True), (1, True), (2, True)]


class Stop(Exception):
    pass


def test_whoever_waits_is_asked_again_and_again_whether_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "_LOOK_SECONDS", 0.001)
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            raise Stop

    waiting = Errands(Busy(), who, ask)
    waiting.give(0)
    with pytest.raises(Stop):
        list(waiting.rest())


def test_a_helper_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(errands, "_LOOKS", 3)
    helper = Busy()

    def give_up() -> None:
        for future, _, _ in helper.taken:
            future.set_exception(BrokenExecutor())

    waiting = Errands(helper, who, give_up=give_up)
    for number in range(6):
        waiting.give(number)
    assert list(waiting.rest()) == [(number, True) for number in range(6)]


def fail_at_one(number: int) -> int:
    if number == 1:
        raise ValueError("one")
    return number


def test_a_failure_is_raised_in_its_place(threads: ThreadPoolExecutor) -> None:
    given = Errands(threads, fail_at_one)
    ready = [result for number in range(2) for result in given.give(number)]
    with pytest.raises(ValueError, match="one"):
        ready += given.rest()
    assert ready in ([], [0])
