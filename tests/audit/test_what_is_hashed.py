"""The hashes are what their description says: anybody can compute them, and no two rows look the same to them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from channeld.catalog import chainrows
from channeld.catalog.chain import START, Entry, Head, HeadMalformed, Noted, Seal, ids_listed, row_hash, seal
from channeld.catalog.database import Database
from tests.support.audits import read_rows, row, sealed, write_rows
from tests.support.catalog import NOW

GOLDEN_ROW = "df2357b6ee87588d4bfa7290b96b092e22dc967dedd551a9a8f6a7664d55282d"
GOLDEN_HEAD = "3dacd68beb57b66718d8f9da280676d96942f506eb317f6ebdaebe21415ede81"
ODD = row(3, subject="noarch/ü-😀.conda", before="[1,2]", reason="a\nb,3:c", revision=2**62)


def described(values: dict[str, Any]) -> bytes:
    """Hash a row as the description has it."""
    ids = ("id", "at_ms", "actor", "origin", "action", "channel", "subject")
    names = (*ids, "before", "after", "reason", "revision")
    texts = [str(values[name]).encode() for name in names]
    data = b"channeld audit row 1\n" + b"".join(
        str(len(text)).encode() + b":" + text + b"," for text in texts
    )
    return hashlib.sha256(data).digest()


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def test_rows_and_heads_are_as_described_in_both_databases(database: Database) -> None:
    sealed(database, [1])
    write_rows(database, [ODD])
    head = sealed(database, [5])

    stored = database.read_now(lambda connection: list(chainrows.hashed(connection, None, 100)))
    assert stored == [Entry(each["id"], described(each)) for each in (row(1), ODD, row(5))]
    first = b"\x01" + number(1) + described(row(1))
    expected = hashlib.sha256(
        b"channeld audit seal 1\n" + bytes(32) + number(1) + number(1) + number(NOW) + first
    ).digest()
    for before, rows in ((1, [ODD]), (3, [row(5)])):
        entries = b"\x01" + b"".join(number(each["id"]) + described(each) for each in rows)
        ids = number(before + 1) + number(rows[-1]["id"])
        expected = hashlib.sha256(
            b"channeld audit seal 1\n" + expected + ids + number(NOW) + entries
        ).digest()
    assert head == Head(5, expected)


def test_the_first_version_never_changes() -> None:
    """What was sealed has to be verified for ever: another form is another version."""
    entry = Entry(1, row_hash(row(1).values()))
    assert entry.hash.hex() == GOLDEN_ROW
    assert str(seal(START, [entry], NOW).end) == f"1:{GOLDEN_HEAD}"


VALUES = st.tuples(*[st.one_of(st.text(":,0123456789-\nab", max_size=4), st.integers(-2, 12), st.none())] * 4)


@given(VALUES, VALUES)
def test_other_values_are_another_hash(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    # numbers and texts stand in columns of their own
    assume(
        [str(value) if value is not None else None for value in one]
        != [str(v) if v is not None else None for v in other]
    )
    assert row_hash(one) != row_hash(other)


def test_the_rows_are_read_as_they_are_written(database: Database) -> None:
    write_rows(database, [ODD])
    found = read_rows(database)[0]
    assert {name: getattr(found, name) for name in ODD} == ODD


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        (f"12:{'ab' * 32}", Noted(12, b"\xab" * 32)),
        (f" {'AB' * 32}\n", Noted(None, b"\xab" * 32)),
        (str(START), Noted(0, bytes(32))),
    ],
)
def test_a_head_is_read_as_it_is_shown(text: str, noted: Noted) -> None:
    assert Noted.parse(text) == noted


@pytest.mark.parametrize(
    "text", ["", "12", "ab" * 31, f"-1:{'ab' * 32}", f"1:{'ab' * 32}:", f"1;{'ab' * 32}", "g" * 64]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(HeadMalformed) as caught:
        Noted.parse(text)
    assert (
        caught.value.sentence()
        == f"{text!r} is no head of an audit, which has the form <id>:<64 hex digits>."
    )


@pytest.mark.parametrize(
    "rows", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(39), b"\x01" + bytes(80)]
)
def test_what_is_no_list_of_rows_lists_none(rows: bytes) -> None:
    assert ids_listed(Seal(1, 2, rows, bytes(32), NOW)) == []
