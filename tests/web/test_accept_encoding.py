"""Which content coding a client gets (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from channeld.web.negotiation import choose_coding

ALL = ("zstd", "gzip", "identity")


def chosen_from(accepted: str, offered: tuple[str, ...] = ALL) -> str | None:
    """Choose for a client that sends this field."""
    return choose_coding(CIMultiDict({"Accept-Encoding": accepted}), offered)


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("ZSTD", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, br", "identity"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip; q=0.8 , zstd ; q=0.8", "zstd"),
        ("gzip;Q=1.000", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1", "zstd"),
        ("gzip;q=0.5, *;q=0.1", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("zstd;q=0, gzip;q=0", "identity"),
        ("identity", "identity"),
        ("identity;q=0.5, gzip;q=0.2", "identity"),
        ("identity;q=0, gzip;q=0.2", "gzip"),
        ("*;q=0, identity", "identity"),
        ("*;q=0, gzip", "gzip"),
        ("", "identity"),
        (" , ,", "identity"),
    ],
)
def test_the_heaviest_coding_wins_and_at_equal_weight_ours(accepted: str, chosen: str) -> None:
    assert chosen_from(accepted) == chosen


@pytest.mark.parametrize(
    "accepted", ["identity;q=0", "*;q=0", "identity;q=0, br", "zstd;q=0, gzip;q=0, *;q=0"]
)
def test_a_client_can_refuse_everything(accepted: str) -> None:
    assert chosen_from(accepted, ("identity",)) is None


def test_without_the_field_the_bytes_are_sent_as_they_are() -> None:
    assert choose_coding(CIMultiDict(), ALL) == "identity"
    assert choose_coding(CIMultiDict(), ("zstd",)) is None
    assert choose_coding(CIMultiDict(), ()) is None


def test_only_what_is_offered_is_chosen() -> None:
    assert chosen_from("gzip, zstd", ("gzip", "identity")) == "gzip"
    assert chosen_from("zstd", ("gzip", "identity")) == "identity"
    assert chosen_from("zstd", ("gzip",)) is None


@pytest.mark.parametrize(
    "member", ["zstd;q=2", "zstd;q=-1", "zstd;q=0.1234", "zstd;q=x", "zstd;q", "zs td", "zstd;v=1"]
)
def test_a_malformed_member_counts_for_nothing(member: str) -> None:
    assert chosen_from(member) == "identity"
    assert chosen_from(f"{member}, gzip") == "gzip"


@given(accepted=st.text(), offered=st.permutations(ALL))
@settings(deadline=None)
def test_no_field_is_an_error(accepted: str, offered: list[str]) -> None:
    assert chosen_from(accepted, tuple(offered)) in {*ALL, None}


def test_the_field_may_come_in_several_lines() -> None:
    lines = CIMultiDict([("Accept-Encoding", "br"), ("Accept-Encoding", "zstd;q=0.5")])

    assert choose_coding(lines, ALL) == "zstd"
