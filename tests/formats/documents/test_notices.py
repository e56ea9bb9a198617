"""Notices to the users of a channel: what is taken, what is refused, and how they are written (CEP 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from channeld.formats.notices import (
    BadNotice,
    Notice,
    NoticeExpiresTooSoon,
    NoticeFieldMissing,
    NoticeIdTaken,
    NoticeLevelUnknown,
    NoticesTooLarge,
    NoticeTimeMalformed,
    NoticeTooLong,
    NoticeUnprintable,
    encode_notices,
)

EXAMPLE = {
    "id": "1cd1d8e5-d96c-42d1-9c29-e8120ad80823",
    "message": "Here is an example message\nthat will be displayed — to users",
    "level": "info",
    "created_at": "2022-04-21T11:50:34+00:00",
    "expires_at": "2022-04-22T00:00:00+00:00",
}


def notice(**fields: Any) -> Notice:
    return Notice.parse({**EXAMPLE, **fields})


def test_a_notice_is_read_and_written_as_the_standard_has_it() -> None:
    assert notice() == Notice(
        EXAMPLE["id"],
        EXAMPLE["message"],
        "info",
        datetime(2022, 4, 21, 11, 50, 34, tzinfo=UTC),
        datetime(2022, 4, 22, tzinfo=UTC),
    )
    assert orjson.loads(encode_notices([notice()])) == {"notices": [EXAMPLE]}


def test_a_channel_without_notices_has_an_empty_list() -> None:
    assert encode_notices([]) == b'{"notices":[]}\n'


def test_times_are_written_in_utc_with_an_offset_that_old_clients_read() -> None:
    here = timezone(timedelta(hours=2))
    with_z = notice(created_at="2022-04-21T13:50:34.987654+02:00", expires_at="2022-04-22T00:00:00Z")
    assert with_z.document() == EXAMPLE
    made = Notice("a", "b", "info", datetime(2022, 4, 21, 13, tzinfo=here), datetime(2022, 4, 22, tzinfo=UTC))
    assert made.document()["created_at"] == "2022-04-21T11:00:00+00:00"


def test_the_newest_notice_comes_first_whatever_the_order() -> None:
    old = notice(id="old", created_at="2022-01-01T00:00:00Z")
    new, same_time = notice(id="new"), notice(id="zzz")
    document = encode_notices([old, new, same_time])
    assert document == encode_notices([same_time, old, new])
    assert [n["id"] for n in orjson.loads(document)["notices"]] == ["zzz", "new", "old"]


def test_keys_that_the_standard_does_not_name_are_left_out() -> None:
    assert notice(interval=5, expired_at="2030-01-01T00:00:00Z") == notice()


@pytest.mark.parametrize("field", EXAMPLE)
@pytest.mark.parametrize("value", [None, "", "  ", 7, ["x"]])
def test_a_notice_without_one_of_its_fields_is_rejected(field: str, value: object) -> None:
    with pytest.raises(NoticeFieldMissing) as rejected:
        notice(**{field: value})
    assert rejected.value.field == field


@pytest.mark.parametrize("level", ["INFO", "error", "info "])
def test_a_level_that_clients_do_not_know_is_rejected(level: str) -> None:
    with pytest.raises(NoticeLevelUnknown, match=level):
        notice(level=level)


@pytest.mark.parametrize(
    "time",
    ["tomorrow", "2022-04-21T11:50:34", "2022-13-01T00:00:00Z", "1650541834", "0001-01-01T00:00:00+14:00"],
)
@pytest.mark.parametrize("field", ["created_at", "expires_at"])
def test_a_time_without_an_offset_is_rejected(field: str, time: str) -> None:
    with pytest.raises(NoticeTimeMalformed) as rejected:
        notice(**{field: time})
    assert (rejected.value.field, rejected.value.value) == (field, time)


@pytest.mark.parametrize("expires", ["2022-04-21T11:50:34+00:00", "2021-01-01T00:00:00Z"])
def test_a_notice_that_expires_before_it_is_made_is_rejected(expires: str) -> None:
    with pytest.raises(NoticeExpiresTooSoon):
        notice(expires_at=expires)


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\r", "\x07", "\x9b", "\u202e", "\ud800"])
def test_characters_that_change_a_terminal_are_rejected(character: str) -> None:
    with pytest.raises(NoticeUnprintable):
        notice(message=f"hello {character}[31m")
    with pytest.raises(NoticeUnprintable):
        notice(id=f"a{character}b")


def test_an_id_is_one_line() -> None:
    with pytest.raises(NoticeUnprintable):
        notice(id="a\nb")


@pytest.mark.parametrize(("field", "limit"), [("message", 4096), ("id", 128)])
def test_a_text_has_a_limit(field: str, limit: int) -> None:
    assert getattr(notice(**{field: "x" * limit}), field) == "x" * limit
    with pytest.raises(NoticeTooLong) as rejected:
        notice(**{field: "x" * (limit + 1)})
    assert rejected.value.detail() == {"field": field, "length": limit + 1, "limit": limit}


def test_two_notices_with_one_id_are_rejected() -> None:
    with pytest.raises(NoticeIdTaken):
        encode_notices([notice(), notice(message="other")])


def test_more_than_clients_read_is_rejected() -> None:
    many = [notice(id=str(n), message="x" * 4096) for n in range(260)]
    with pytest.raises(NoticesTooLarge) as rejected:
        encode_notices(many)
    assert rejected.value.size > rejected.value.limit == 1 << 20


@pytest.mark.parametrize(
    "rejection",
    [
        NoticeFieldMissing("id"),
        NoticeTooLong("id", 2, 1),
        NoticeUnprintable("id", "\\x1b"),
        NoticeLevelUnknown("x"),
        NoticeTimeMalformed("created_at", "x"),
        NoticeExpiresTooSoon("2", "1"),
        NoticeIdTaken("x"),
        NoticesTooLarge(2),
    ],
)
def test_every_rejection_says_what_is_wrong_and_what_to_do(rejection: BadNotice) -> None:
    assert rejection.sentence().endswith(".")
    assert rejection.advice.endswith(".")
