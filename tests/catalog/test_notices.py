"""Rule (CEP 6): a channel's notices are put up, replaced by their id, and taken down before their time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channeld.catalog import audit, channels, notices
from channeld.catalog.database import Database
from channeld.catalog.rejections import NoticeMissing
from channeld.formats.notices import Notice
from tests.support.catalog import NOW, UNCHANGED, Observed, actor, dump, make_channel, observe

START = datetime.fromtimestamp(NOW / 1000, UTC)
END = START + timedelta(days=7)
WEEK_MS = 7 * 86_400_000
HELLO = Notice("hello", "Hello, world", "info", START, END)
LATER = Notice("a-later", "…", "critical", START + timedelta(seconds=1), END)


@pytest.fixture
def filled(database: Database) -> Database:
    make_channel(database)
    for notice in (LATER, HELLO):
        database.write_now(lambda c, notice=notice: notices.add(c, "chan", notice, actor()))  # type: ignore[misc]
    return database


def current(database: Database, now_ms: int = NOW) -> list[Notice]:
    return database.read_now(lambda c: notices.current(c, channels.get(c, "chan"), now_ms))


def every(database: Database) -> list[Notice]:
    return database.read_now(lambda c: notices.every(c, channels.get(c, "chan")))


def test_notices_come_back_as_they_were_put_up(filled: Database) -> None:
    assert every(filled) == current(filled) == [HELLO, LATER]


def test_a_notice_ends_when_it_expires(filled: Database) -> None:
    assert current(filled, NOW + WEEK_MS - 1) == [HELLO, LATER]
    assert current(filled, NOW + WEEK_MS) == []


def test_a_notice_is_put_up_once(filled: Database) -> None:
    assert observe(filled, lambda c: notices.add(c, "chan", HELLO, actor())) == UNCHANGED


def test_a_notice_with_the_same_id_takes_its_place(filled: Database) -> None:
    other = replace(HELLO, message="Good bye", level="warning")

    seen = observe(filled, lambda c: notices.add(c, "chan", other, actor()))

    assert seen == Observed(1, [], [("notice.add", "hello")])
    assert every(filled) == [other, LATER]


def test_a_notice_is_taken_down(filled: Database) -> None:
    seen = observe(filled, lambda c: notices.expire(c, "chan", "hello", actor(NOW + 5)))

    assert seen == Observed(1, [], [("notice.expire", "hello")])
    assert current(filled, NOW + 5) == [LATER]
    assert observe(filled, lambda c: notices.expire(c, "chan", "hello", actor(NOW + 6))) == UNCHANGED


def test_a_notice_that_is_not_there_cannot_be_taken_down(filled: Database) -> None:
    before = dump(filled)

    with pytest.raises(NoticeMissing):
        filled.write_now(lambda c: notices.expire(c, "chan", "nothing", actor()))
    assert dump(filled) == before


def test_each_channel_has_its_own(filled: Database) -> None:
    make_channel(filled, "other")
    filled.write_now(lambda c: notices.add(c, "other", replace(HELLO, message="other"), actor()))

    assert every(filled) == [HELLO, LATER]


def test_what_was_said_is_written_down(filled: Database) -> None:
    filled.write_now(lambda c: notices.expire(c, "chan", "hello", actor(NOW + 5)))

    row = filled.read_now(lambda c: audit.newest(c, limit=1))[0]
    assert (row.subject, row.after) == ("hello", "")
    assert '"message":"Hello, world"' in row.before
