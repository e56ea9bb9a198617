"""Rule: each sealed row becomes one delivery for each webhook that wants it, whoever looks and however often."""

from __future__ import annotations

from functools import partial

import orjson
import pytest
from sqlalchemy import Connection

from channeld.catalog import deliveries, leases, relabelling, webhooks
from channeld.catalog import tables as t
from channeld.catalog.audit import Change
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.leases import Lease
from channeld.catalog.relabelling import Relabelling
from channeld.catalog.selection import Selection
from channeld.webhooks import fanout
from channeld.webhooks.fanout import BATCH, FULL, LAG, Place, Step
from channeld.webhooks.sweeping import Sweeper
from tests.support.catalog import CHANNEL, NOW, actor, add, artifact, make_channel
from tests.support.clock import ManualClock
from tests.support.webhooks import all_of_it, make_webhook, refusal, sent_of, states_of, tell


def lease(database: Database, holder: str = "one") -> Lease:
    taken = database.write_now(lambda connection: leases.take(connection, "webhooks", holder, NOW, 1000))
    assert taken is not None
    return taken


def planned(
    database: Database, places: dict[str, Place] | None = None, until: int | None = None
) -> list[Step]:
    def plan(connection: Connection) -> list[Step]:
        sealed = all_of_it(connection) if until is None else until
        return fanout.plan(connection, webhooks.at_work(connection), sealed, places or {})

    return database.read_now(plan)


def carry_out(database: Database, steps: list[Step], held: Lease | None = None) -> bool:
    taken = held or lease(database)
    return database.write_now(lambda connection: fanout.carry_out(connection, steps, taken, NOW))


def relabel(asked: Relabelling, connection: Connection) -> None:
    relabelling.apply(connection, CHANNEL, asked, actor(), lambda _: None)


def newest_row(database: Database) -> int:
    return database.read_now(all_of_it)


def test_each_webhook_is_told_what_it_asked_for(database: Database) -> None:
    make_webhook(database, name="every")
    make_webhook(database, name="broken", events=["broken"])
    make_webhook(database, name="other", channels="other*")
    make_channel(database)
    make_channel(database, "staging", ChannelSettings(kind="staging"))
    add(database, artifact("alpha"), "main", "rc")
    add(database, artifact("beta"), channel="staging")
    named = Selection(subdir="noarch", filename="alpha-1.0-0.conda")
    for change in (Relabelling((named,), add=("broken",)), Relabelling((named,), remove=("broken",))):
        database.write_now(partial(relabel, change))
    tell(database, refusal(channel="other-1"))
    assert carry_out(database, planned(database))

    file = {"subdir": "noarch", "filename": "alpha-1.0-0.conda"}
    bytes_ = {"sha256": artifact("alpha").sha256, "size": artifact("alpha").size}
    published = {**file, **bytes_, "labels": ["main", "rc"], "added": ["main", "rc"], "how": "new"}
    marked = {**file, **bytes_, "labels": ["broken", "main", "rc"], "broken": True}
    mended = {**file, **bytes_, "labels": ["main", "rc"], "broken": False}

    def told(name: str) -> list[tuple[str, object]]:
        return [(each.event, orjson.loads(each.body)["data"]) for each in sent_of(database, name)]

    assert told("every")[:3] == [("published", published), ("broken", marked), ("broken", mended)]
    assert told("broken") == [("broken", marked), ("broken", mended)]
    assert [event for event, _ in told("other")] == ["refused"]
    assert [each.event for each in sent_of(database, "every")] == ["published", "broken", "broken", "refused"]


def test_a_webhook_is_told_what_happens_after_it_was_made(database: Database) -> None:
    tell(database, refusal(1))
    make_webhook(database)
    tell(database, refusal(2))
    carry_out(database, planned(database))
    assert [orjson.loads(each.body)["subject"] for each in sent_of(database)] == ["copy-2"]


def test_looking_twice_makes_nothing_twice(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    first, second = planned(database), planned(database)
    assert carry_out(database, first)
    assert carry_out(database, second)  # as a process that was overtaken would
    assert carry_out(database, planned(database))
    assert states_of(database) == ["waiting"]


def test_only_who_holds_the_lease_makes_deliveries(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    mine = lease(database, "one")
    database.write_now(lambda connection: leases.take(connection, "webhooks", "two", NOW + 5000, 1000))
    assert not carry_out(database, planned(database), mine)
    assert states_of(database) == []


def test_a_transaction_that_fails_leaves_everything_for_the_next(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    steps, held = planned(database), lease(database)

    def crash(connection: Connection) -> None:
        fanout.carry_out(connection, steps, held, NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write_now(crash)
    assert states_of(database) == []
    carry_out(database, planned(database))
    assert states_of(database) == ["waiting"]


def test_what_is_not_sealed_is_not_looked_at(database: Database) -> None:
    make_webhook(database)
    sealed = newest_row(database)
    tell(database, refusal())
    assert planned(database, until=sealed) == []
    carry_out(database, planned(database, until=newest_row(database)))
    assert states_of(database) == ["waiting"]


def test_many_rows_are_looked_at_in_batches_and_in_order(database: Database) -> None:
    make_webhook(database)
    tell(database, *(refusal(number) for number in range(BATCH + 3)))
    carry_out(database, planned(database))
    assert len(sent_of(database)) == BATCH
    database.write_now(lambda connection: connection.execute(t.deliveries.update().values(next_ms=None)))
    carry_out(database, planned(database))
    told = [orjson.loads(each.body)["subject"] for each in sent_of(database)]
    assert told == [f"copy-{number}" for number in range(BATCH + 3)]


def test_whose_line_is_long_gets_no_more_and_holds_nobody_up(database: Database) -> None:
    make_webhook(database, name="slow")
    tell(database, *(refusal(number) for number in range(FULL)))
    carry_out(database, planned(database))
    make_webhook(database, name="quick")
    tell(database, refusal(FULL))
    carry_out(database, planned(database))
    assert len(sent_of(database, "slow")) == FULL
    assert len(sent_of(database, "quick")) == 1
    database.write_now(lambda connection: deliveries.skip(connection, "slow", NOW))
    carry_out(database, planned(database))
    assert len(sent_of(database, "slow")) == FULL + 1


def test_what_is_no_news_is_written_down_once_in_a_while(database: Database) -> None:
    hook = make_webhook(database)
    tell(database, *([Change("copy.done", "", "x")] * (LAG - 1)))
    (step,) = planned(database)
    assert (step.new, step.worth_writing) == ((), False)
    places = {hook.id: Place(step.webhook.seen_id, step.until)}
    assert planned(database, places) == []
    tell(database, refusal())
    (step,) = planned(database, places)
    assert len(step.new) == 1
    carry_out(database, [step])
    assert planned(database, {hook.id: Place(0, 0)}) == []  # a place of before means nothing any more
    tell(database, *([Change("copy.done", "", "x")] * (LAG + 1)))
    (step,) = planned(database)
    assert step.worth_writing


def test_a_paused_webhook_costs_nothing_and_misses_nothing(database: Database) -> None:
    make_webhook(database)
    database.write_now(lambda connection: webhooks.pause(connection, "hook", actor()))
    tell(database, refusal())
    assert planned(database) == []
    database.write_now(lambda connection: webhooks.resume(connection, "hook", actor(), skip=False))
    carry_out(database, planned(database))
    assert states_of(database) == ["waiting"]


def test_what_was_missed_can_be_skipped(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    carry_out(database, planned(database))
    database.write_now(lambda connection: webhooks.pause(connection, "hook", actor()))
    tell(database, refusal())
    database.write_now(lambda connection: webhooks.resume(connection, "hook", actor(), skip=True))
    carry_out(database, planned(database))
    assert states_of(database) == ["dead"]  # told apart from what arrived, and can be retried


def test_what_was_planned_for_a_webhook_that_was_paused_waits_for_it(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    steps = planned(database)
    database.write_now(lambda connection: webhooks.pause(connection, "hook", actor()))
    assert carry_out(database, steps)
    assert states_of(database) == []


def test_a_deleted_webhook_takes_its_deliveries_with_it(database: Database) -> None:
    make_webhook(database)
    tell(database, refusal())
    steps = planned(database)
    carry_out(database, steps)
    database.write_now(lambda connection: webhooks.delete(connection, "hook", actor()))
    assert carry_out(database, steps)
    assert database.read_now(lambda connection: connection.execute(t.deliveries.select()).all()) == []


def test_a_ping_goes_to_the_one_that_it_is_for(database: Database) -> None:
    make_webhook(database, name="one", channels="nowhere")
    make_webhook(database, name="two")
    database.write_now(lambda connection: webhooks.ask_for_ping(connection, "one", actor()))
    carry_out(database, planned(database))
    assert [each.event for each in sent_of(database, "one")] == ["ping"]
    assert sent_of(database, "two") == []


def test_what_is_done_is_forgotten_after_a_while(database: Database) -> None:
    make_webhook(database)
    tell(database, *(refusal(number) for number in range(4)))
    carry_out(database, planned(database))
    ids = [each.id for each in sent_of(database)]

    def finish(connection: Connection) -> None:
        deliveries.note(connection, ids[0], deliveries.Attempt(NOW))
        deliveries.note(connection, ids[1], deliveries.Attempt(NOW, "It answered 500."))
        deliveries.note(connection, ids[2], deliveries.Attempt(NOW + 2))

    database.write_now(finish)
    assert states_of(database) == ["delivered", "dead", "delivered", "waiting"]
    assert database.write_now(lambda connection: deliveries.forget(connection, NOW + 1, 1)) == 1
    assert states_of(database) == ["dead", "delivered", "waiting"]
    clock = ManualClock(NOW + 60_001)
    sweeper = Sweeper(database, clock, keep_seconds=60)
    assert (sweeper.sweep(lambda: True), sweeper.sweep(), sweeper.sweep()) == (0, 1, 0)
    assert states_of(database) == ["delivered", "waiting"]
    clock.advance(seconds=3600)
    assert sweeper.sweep() == 1
    assert states_of(database) == ["waiting"]


def test_what_is_due_is_the_head_of_a_line_and_what_was_set_aside(database: Database) -> None:
    make_webhook(database)
    tell(database, *(refusal(number) for number in range(3)))
    carry_out(database, planned(database))
    first, second, third = (each.id for each in sent_of(database))

    def fail(delivery_id: int, times: int, next_ms: int) -> None:
        attempt = deliveries.Attempt(NOW, "It answered 500.", next_ms)
        for _ in range(times):
            database.write_now(lambda connection: deliveries.note(connection, delivery_id, attempt))

    def due(now_ms: int) -> tuple[list[str], list[int]]:
        def look(connection: Connection) -> tuple[list[str], list[int]]:
            head = deliveries.head(connection, "hook", 2)
            aside = deliveries.set_aside(connection, "hook", 2, now_ms)
            ready = [head] if head is not None and (head.next_ms or 0) <= now_ms else []
            return deliveries.due(connection, 2, now_ms), [
                each.id for each in (*ready, aside) if each is not None
            ]

        return database.read_now(look)

    assert due(NOW - 1) == ([], [])
    assert due(NOW) == (["hook"], [first])
    fail(first, 1, NOW + 10)
    assert due(NOW + 9) == ([], [])  # those behind it wait, though their time has come
    assert due(NOW + 10) == (["hook"], [first])
    fail(first, 1, NOW + 99)
    assert due(NOW + 10) == (["hook"], [second])
    fail(second, 1, NOW + 200)
    assert due(NOW + 99) == (["hook"], [first])
    database.write_now(lambda connection: deliveries.retry(connection, "hook", NOW + 100, first))
    assert due(NOW + 100) == (["hook"], [first])
    database.write_now(lambda connection: deliveries.note(connection, first, deliveries.Attempt(NOW + 100)))
    assert due(NOW + 100) == ([], [])
    assert states_of(database) == ["delivered", "waiting", "waiting"]
    backlog = database.read_now(deliveries.backlog)
    assert backlog == deliveries.Backlog(waiting=2, dead=0, oldest_ms=NOW)
    assert third > second
