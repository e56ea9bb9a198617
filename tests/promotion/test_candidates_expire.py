"""Rule: candidates leave a staging channel when their time is over, some at a time, by one process at a time.

Nothing that is in another channel does.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from channeld.catalog import candidates, channels, files
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.promotion import expiry
from channeld.promotion.expiry import Expiry
from channeld.settings import Settings
from channeld.web.housekeeping import Chore
from channeld.web.services import chores_of
from tests.support.candidates import ONE, STAGING, THREE, TWO, hide, make_staging, promotable, stage, who
from tests.support.catalog import NOW, add, artifact, dump, make_channel, revision_of
from tests.support.clock import ManualClock
from tests.support.databases import (
    backend,
    database,
    database_url,
    empty_database_url,
    postgres_server,
    sqlite_template,
)
from tests.support.instances import opened

__all__ = ["backend", "database", "database_url", "empty_database_url", "postgres_server", "sqlite_template"]

KEEP = 7200


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def make(database: Database, clock: ManualClock, keep_seconds: int = KEEP, batch: int = 2) -> Expiry:
    return Expiry(database, clock, keep_seconds=keep_seconds, batch=batch)


def names(database: Database) -> list[str]:
    return [one.name for one in promotable(database)]


def test_two_hours_after_the_last_upload_and_no_sooner(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE, TWO, THREE)
    hide(database, ONE)
    clock.advance(seconds=600)
    stage(database, TWO, now_ms=clock.now_ms())
    assert Settings().promotion.keep_candidates_seconds == KEEP

    clock.advance(seconds=KEEP - 600)
    assert make(database, clock).run() == 0
    clock.advance(seconds=1)
    assert make(database, clock).run() == 2
    assert names(database) == ["two"]
    clock.advance(seconds=600)
    assert make(database, clock).run() == 1
    assert names(database) == []


def test_nothing_goes_where_all_are_kept(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE)
    clock.advance(seconds=1000 * KEEP)
    assert make(database, clock, keep_seconds=0).run() == 0


def test_other_channels_are_not_looked_at(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE)
    make_channel(database, "second", ChannelSettings(kind="staging"))
    make_channel(database)
    for channel in ("second", "chan"):
        add(database, ONE, channel=channel)
        add(database, artifact("gone"), channel=channel)
        database.write_now(
            lambda c, name=channel: files.delete(c, name, "noarch", "gone-1.0-0.conda", who("x"))  # type: ignore[misc]
        )
    kept_id = database.read_now(lambda c: channels.get(c, "chan")).id
    before, revision = dump(database), revision_of(database)

    clock.advance(seconds=1000 * KEEP)
    assert make(database, clock).run() == 3
    after = dump(database)
    assert [row for row in before["files"] if row[1] == kept_id] == after["files"]
    assert len(after["files"]) == 2
    assert revision_of(database) == revision
    assert [row for row in after["audit"] if row not in before["audit"] and row[5] == "chan"] == []
    assert make(database, clock).run() == 0


def test_they_go_in_small_transactions(database: Database, clock: ManualClock) -> None:
    make_staging(database)
    for number in range(5):
        stage(database, artifact("alpha", content=str(number)))
    before = revision_of(database, STAGING)
    clock.advance(seconds=KEEP + 1)

    assert make(database, clock, batch=2).run() == 5
    assert revision_of(database, STAGING) == before + 3


def test_it_stops_when_it_is_told_to(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE, TWO, THREE)
    clock.advance(seconds=KEEP + 1)
    worker = make(database, clock, batch=1)

    assert worker.run(iter([False, True]).__next__) == 1
    assert worker.run() == 2


def test_one_process_at_a_time_does_it(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE, TWO)
    clock.advance(seconds=KEEP + 1)
    first, second = (make(database, clock, batch=1) for _ in range(2))

    assert first.run(iter([False, True]).__next__) == 1
    before = dump(database)
    assert second.run() == 0  # the first one may be at it still
    assert dump(database) == before
    clock.advance(seconds=expiry.LEASE_MS / 1000 + 1)  # it died
    assert second.run() == 1


def test_several_at_once_remove_each_once(database: Database) -> None:
    make_staging(database)
    for number in range(20):
        stage(database, artifact(f"p{number}"))
    start = threading.Barrier(4)

    def run(_number: int) -> int:
        worker = make(database, ManualClock(NOW + KEEP * 1000 + 1), batch=3)
        start.wait(10)
        return worker.run()

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(run, range(4)))
    assert sum(done) == len(dump(database)["audit"]) - 21 == 20  # 20 uploads, 1 channel


def test_one_that_is_uploaded_again_in_between_stays(database: Database, clock: ManualClock) -> None:
    """It was found, and before its turn came somebody uploaded it."""
    make_staging(database, ONE, TWO)
    clock.advance(seconds=KEEP + 1)
    worker = make(database, clock, batch=10)
    find = candidates.expired

    def then_upload(*args: Any) -> list[int]:
        found = find(*args)
        if found:
            stage(database, ONE, now_ms=clock.now_ms())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "expired", then_upload)
        assert worker.run() == 1
    assert names(database) == ["one"]


def test_a_channel_that_goes_meanwhile_takes_them_along(database: Database, clock: ManualClock) -> None:
    make_staging(database, ONE)
    clock.advance(seconds=KEEP + 1)
    worker = make(database, clock)
    find = candidates.expired

    def then_delete(*args: Any) -> list[int]:
        found = find(*args)
        database.write_now(lambda c: channels.delete(c, STAGING, who("boss"), force=True))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "expired", then_delete)
        assert worker.run() == 0


def test_a_server_does_it_every_minute(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory.mktemp("server")) as instance:
        chores: list[Chore] = [chore for chore in chores_of(instance) if "candidates" in chore.name]
        assert [(chore.every, chore.first) for chore in chores] == [(60.0, 5.0)]
        make_staging(instance.database, ONE)
        assert chores[0].work(lambda: False) == 1
        assert names(instance.database) == []
