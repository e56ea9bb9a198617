"""Rule: deliveries of one webhook arrive in order, but for those that their receiver does not take for minutes."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from channeld.catalog import deliveries
from channeld.catalog.database import Database, open_database
from channeld.catalog.deliveries import Delivery, NewDelivery
from channeld.webhooks.backoff import LONGEST_SECONDS, SPREAD, pause_seconds
from channeld.webhooks.lines import Health, Lanes, Line, Post
from channeld.webhooks.order import PATIENCE, choose
from channeld.webhooks.sending import Answer
from tests.support.catalog import NOW
from tests.support.clock import ManualClock
from tests.support.webhooks import make_webhook, sent_of

ATTEMPTS: Final = 9
#: What the first failures of one delivery may cost those behind it, seconds.
PATIENCE_SECONDS: Final = sum(pause_seconds(number, 1.0) for number in range(1, PATIENCE)) + 1


def test_pauses_grow_up_to_two_hours() -> None:
    pauses = [pause_seconds(failures, 0.5) for failures in range(1, 11)]
    assert pauses == [5, 15, 45, 135, 405, 1215, 3645, 7200, 7200, 7200]
    assert 20 < sum(pause_seconds(failures, 0.5) for failures in range(1, 18)) / 3600 < 24
    assert pause_seconds(10**9, 0.5) == LONGEST_SECONDS


@given(st.integers(1, 100), st.floats(0, 1), st.floats(0, 1e9))
def test_chance_and_the_receivers_wish_move_a_pause_within_limits(
    failures: int, chance: float, wish: float
) -> None:
    middle = pause_seconds(failures, 0.5)
    assert (1 - SPREAD) * middle <= pause_seconds(failures, chance) <= (1 + SPREAD) * middle
    asked = pause_seconds(failures, chance, wish)
    assert min(wish, LONGEST_SECONDS) <= asked <= (1 + SPREAD) * LONGEST_SECONDS


def delivery(audit_id: int, attempts: int, next_ms: int) -> Delivery:
    return Delivery(audit_id, "hook", audit_id, 0, "refused", b"", attempts, next_ms, None, None, None, "")


def test_the_first_in_line_holds_those_behind_it() -> None:
    assert choose(None, None, 10) is None
    assert choose(delivery(1, 1, 11), None, 10) is None
    assert choose(delivery(1, 1, 10), None, 10) == delivery(1, 1, 10)


def test_what_was_set_aside_comes_when_its_time_has_come_and_takes_turns() -> None:
    aside, head = delivery(1, PATIENCE, 10), delivery(2, 0, 10)
    assert choose(head, aside, 10) == aside
    assert choose(head, aside, 10, after_aside=True) == head
    assert choose(delivery(2, 1, 11), aside, 10, after_aside=True) == aside
    assert choose(delivery(0, 0, 10), aside, 10) == delivery(
        0, 0, 10
    )  # given up once, and tried again by hand


@dataclass(slots=True)
class World:
    """A receiver that is away for a while, and does not take some messages for some attempts."""

    clock: ManualClock
    #: From when to when it is away, seconds from the start.
    away: tuple[float, float]
    #: Attempts, while it is there, that fail for a message.
    stubborn: Mapping[int, int]
    tried: dict[int, int] = field(default_factory=dict)
    taken: list[tuple[float, int]] = field(default_factory=list)

    async def send(self, _url: str, _headers: Mapping[str, str], body: bytes) -> Answer:
        number, now = int(body), self.clock.monotonic()
        if self.away[0] <= now < self.away[1]:
            return Answer("It answered 503 Service Unavailable.")
        self.tried[number] = self.tried.get(number, 0) + 1
        if self.tried[number] <= self.stubborn.get(number, 0):
            return Answer("It answered 500 Internal Server Error.")
        self.taken.append((now, number))
        return Answer()


@contextmanager
def catalog(template: Path) -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        shutil.copyfile(template, path)
        database = open_database(f"sqlite:///{path}")
        try:
            yield database
        finally:
            database.close()


async def deliver(
    database: Database, world: World, *, until_seconds: float, attempts: int = ATTEMPTS
) -> None:
    """Run a line, and let time pass whenever everything waits."""
    post = Post(
        database=database,
        clock=world.clock,
        send=world.send,
        lanes=Lanes(4),
        attempts=attempts,
        slow_seconds=1,
        chance=random.Random(7).random,
        may_send=lambda: True,
        on_outcome=lambda outcome: None,
    )
    health = Health()
    while world.clock.monotonic() < until_seconds:
        await Line(post, "hook", health).run()
        waiting = [(each.attempts >= PATIENCE, each.next_ms) for each in sent_of(database) if each.next_ms]
        if not waiting:
            return
        line = [next_ms for aside, next_ms in waiting if not aside][:1]
        ready_ms = min([*line, *(next_ms for aside, next_ms in waiting if aside)])
        assert database.read_now(lambda c: deliveries.due(c, PATIENCE, world.clock.now_ms())) == []
        world.clock.advance(seconds=(ready_ms - world.clock.now_ms()) / 1000)
        assert database.read_now(lambda c: deliveries.due(c, PATIENCE, world.clock.now_ms())) == ["hook"]


DAY: Final = 86_400.0


@settings(deadline=None, max_examples=20)
@given(
    count=st.integers(1, 12),
    away=st.tuples(st.floats(0, 600), st.floats(0, 8 * 3600)),
    stubborn=st.dictionaries(st.integers(0, 11), st.integers(1, ATTEMPTS + 2), max_size=4),
)
def test_what_is_taken_soon_arrives_in_order_and_nothing_is_lost(
    sqlite_template: Path, count: int, away: tuple[float, float], stubborn: dict[int, int]
) -> None:
    with catalog(sqlite_template) as database:
        make_webhook(database)

        def fill(connection: Connection) -> None:
            new = [NewDelivery(number, NOW, "refused", str(number).encode()) for number in range(count)]
            deliveries.add(connection, "hook", new, NOW)

        database.write_now(fill)
        world = World(ManualClock(NOW), (away[0], away[0] + away[1]), stubborn)
        asyncio.run(deliver(database, world, until_seconds=30 * DAY))

        taken = [number for _, number in world.taken]
        states = {each.audit_id: each for each in sent_of(database)}
        dead = {number for number, each in states.items() if each.state == "dead"}
        assert len(taken) == len(set(taken))
        assert set(taken) | dead == set(range(count))
        assert all(states[number].attempts <= ATTEMPTS for number in range(count))
        # those that never failed so often that they were set aside are in order among themselves
        prompt = [number for number in taken if states[number].attempts <= PATIENCE]
        assert prompt == sorted(prompt)
        # nothing overtakes what was tried fewer times than that, whatever else it overtakes
        for place, number in enumerate(taken):
            if states[number].attempts <= PATIENCE:
                assert not [other for other in taken[:place] if other > number]


def test_a_message_that_is_never_taken_keeps_the_others_for_minutes_only(sqlite_template: Path) -> None:
    with catalog(sqlite_template) as database:
        make_webhook(database)

        def fill(connection: Connection) -> None:
            new = [NewDelivery(number, NOW, "refused", str(number).encode()) for number in range(50)]
            deliveries.add(connection, "hook", new, NOW)

        database.write_now(fill)
        world = World(ManualClock(NOW), (0, 0), {0: 99, 7: 99})
        asyncio.run(deliver(database, world, until_seconds=3 * DAY))
        times = {number: at for at, number in world.taken}
        assert set(times) == set(range(50)) - {0, 7}
        assert times[1] <= PATIENCE_SECONDS
        assert times[49] <= 2 * PATIENCE_SECONDS
        assert [number for _, number in world.taken] == sorted(times)
        assert {each.audit_id for each in sent_of(database) if each.state == "dead"} == {0, 7}


def test_after_a_long_absence_nearly_everything_comes_in_order(sqlite_template: Path) -> None:
    with catalog(sqlite_template) as database:
        make_webhook(database)

        def fill(connection: Connection) -> None:
            new = [NewDelivery(number, NOW, "refused", str(number).encode()) for number in range(100)]
            deliveries.add(connection, "hook", new, NOW)

        database.write_now(fill)
        world = World(ManualClock(NOW), (0, 8 * 3600), {})
        asyncio.run(deliver(database, world, until_seconds=3 * DAY, attempts=18))
        taken = [number for _, number in world.taken]
        assert sorted(taken) == list(range(100))
        late = [number for number in taken if any(other > number for other in taken[: taken.index(number)])]
        assert len(late) <= 2
        assert world.taken[-1][0] <= (8 + 5) * 3600
