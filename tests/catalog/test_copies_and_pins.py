"""Rules: a copy is found by its id and its key, claimed by one, forgotten when it is old; what it pins is not swept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from channeld.catalog import channels, copies, files, sweeping
from channeld.catalog.copies import Copy, Pin, Wanted
from channeld.catalog.database import Database
from tests.support.catalog import CHANNEL, NOW, actor, add, artifact, dump, make_channel

ALPHA = artifact()
_LATER = NOW + 1_000_000


@pytest.fixture
def channel(database: Database) -> int:
    return make_channel(database).id


def copy_of(channel_id: int, copy_id: str = "one", **changes: object) -> Copy:
    copy = Copy(copy_id, channel_id, "staging", "alpha", "pinned", b"{}", b"{}", 0, None, NOW, NOW, None)
    return replace(copy, **changes)  # type: ignore[arg-type]


def insert(database: Database, *some: Copy) -> None:
    for copy in some:
        database.write_now(partial(copies.insert, copy=copy))


def test_it_is_found_by_its_id_and_its_key(database: Database, channel: int) -> None:
    copy = copy_of(channel, request_key="key")
    insert(database, copy)
    assert database.read_now(lambda c: copies.find(c, "one")) == copy
    assert database.read_now(lambda c: copies.find_by_key(c, channel, "key")) == copy
    assert database.read_now(lambda c: copies.find_by_key(c, channel + 1, "key")) is None
    assert database.read_now(lambda c: copies.find(c, "two")) is None
    done = replace(copy, state="done", outcome=b"[]", revision=7, updated_ms=NOW + 1, finished_ms=NOW + 1)
    database.write_now(lambda c: copies.update(c, done))
    assert database.read_now(lambda c: copies.find(c, "one")) == done


def test_the_newest_are_listed_first_in_pages(database: Database, channel: int) -> None:
    made = [copy_of(channel, f"c{number}", created_ms=NOW + number // 2) for number in range(5)]
    other = copy_of(channel, "other", feedstock="beta", state="done", created_ms=NOW - 1)
    insert(database, *made, other)

    def page(wanted: Wanted, after: tuple[int, str] | None = None) -> list[str]:
        found = database.read_now(lambda c: copies.page(c, channel, wanted, 2, after))
        return [copy.id for copy in found]

    assert page(Wanted()) == ["c4", "c3"]
    assert page(Wanted(), (NOW + 1, "c3")) == ["c2", "c1"]
    assert page(Wanted(), (NOW, "c1")) == ["c0", "other"]
    assert page(Wanted(feedstock="beta")) == page(Wanted(state="done")) == ["other"]
    assert database.read_now(lambda c: copies.page(c, channel + 1, Wanted(), 9)) == []


def test_what_nobody_works_on_is_claimed_by_one(database: Database, channel: int) -> None:
    waiting = copy_of(channel)
    insert(database, waiting, copy_of(channel, "two", state="done", finished_ms=NOW))
    assert database.read_now(lambda c: copies.unfinished(c, NOW - 1)) == []
    assert database.read_now(lambda c: copies.unfinished(c, NOW)) == [waiting]

    assert database.write_now(lambda c: copies.claim(c, waiting, NOW))
    assert not database.write_now(lambda c: copies.claim(c, waiting, _LATER))
    (claimed,) = database.read_now(lambda c: copies.unfinished(c, _LATER))
    assert claimed.updated_ms == NOW + 1
    database.write_now(lambda c: copies.still_at_work(c, "one", _LATER))
    assert not database.write_now(lambda c: copies.claim(c, claimed, _LATER))


def test_old_ones_are_forgotten(database: Database, channel: int) -> None:
    insert(
        database,
        copy_of(channel, "waiting"),
        *(copy_of(channel, f"c{number}", state="done", finished_ms=NOW + number) for number in range(3)),
    )
    assert database.write_now(lambda c: copies.forget(c, NOW + 2, 1)) == 1
    assert database.write_now(lambda c: copies.forget(c, NOW + 2)) == 1
    assert database.write_now(lambda c: copies.forget(c, NOW + 2)) == 0
    left = database.read_now(lambda c: copies.page(c, channel, Wanted(), 9))
    assert {copy.id for copy in left} == {"waiting", "c2"}


def test_what_is_pinned_is_not_swept(database: Database, channel: int) -> None:
    """Neither while a deleted file names it nor when no file does."""
    stored = add(database, ALPHA).file
    other = add(database, artifact("beta")).file
    pin = Pin("noarch", ALPHA.filename, stored.artifact_id, ALPHA.sha256, ALPHA.md5, ALPHA.size)
    insert(database, copy_of(channel))
    held = database.write_now(lambda c: copies.hold(c, [stored.artifact_id, other.artifact_id, 12345]))
    assert held == {stored.artifact_id, other.artifact_id}
    database.write_now(lambda c: copies.pin(c, "one", [pin]))
    assert database.read_now(lambda c: copies.pinned(c, "one")) == [pin]

    for name in (ALPHA.filename, other.filename):
        delete = partial(files.delete, channel_name=CHANNEL, subdir="noarch", filename=name, actor=actor())
        database.write_now(delete)
    assert database.read_now(lambda c: sweeping.orphans(c, _LATER)) == [other.artifact_id]
    both = [stored.artifact_id, other.artifact_id]
    swept = database.write_now(lambda c: sweeping.sweep_artifacts(c, both, _LATER, _LATER))
    assert [one.sha256 for one in swept] == [other.sha256]
    assert database.write_now(lambda c: copies.hold(c, both)) == {stored.artifact_id}

    database.write_now(lambda c: copies.unpin(c, "one"))
    assert database.read_now(lambda c: sweeping.orphans(c, _LATER)) == [stored.artifact_id]


def test_they_go_with_their_channel(database: Database, channel: int) -> None:
    stored = add(database, ALPHA).file
    insert(database, copy_of(channel))
    pin = Pin("noarch", ALPHA.filename, stored.artifact_id, ALPHA.sha256, ALPHA.md5, ALPHA.size)
    database.write_now(lambda c: copies.pin(c, "one", [pin]))
    database.write_now(lambda c: channels.delete(c, CHANNEL, actor(), force=True))
    assert (dump(database)["copies"], dump(database)["pins"]) == ([], [])
