"""Preconditions of requests (RFC 9110, section 13)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from channeld.web.conditions import Outcome, Validators, evaluate, if_range_holds

TAG = '"abc"'
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
CURRENT = Validators(TAG, 784111777)

PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.PRECONDITION_FAILED


def judged(method: str = "GET", current: Validators | None = CURRENT, **fields: str) -> Outcome:
    """Evaluate fields that are named with underscores."""
    return evaluate(
        method, CIMultiDict({name.replace("_", "-"): value for name, value in fields.items()}), current
    )


def test_a_request_without_preconditions_proceeds() -> None:
    assert judged() is PROCEED


@pytest.mark.parametrize(
    "tags",
    [
        TAG,
        f"W/{TAG}",
        f'"x", {TAG}',
        f'"x",{TAG},"y"',
        f" ,, {TAG} ,",
        f'W/"x" , W/{TAG}',
        "*",
        f'"a,b",{TAG}',
    ],
)
def test_if_none_match_compares_weakly(tags: str) -> None:
    assert judged(if_none_match=tags) is NOT_MODIFIED
    assert judged("HEAD", if_none_match=tags) is NOT_MODIFIED


@pytest.mark.parametrize(
    "tags",
    ['"x"', '"ABC"', '"abc', "abc", "'abc'", '"ab"', '"abcd"', "", ",", "**", '"*"', 'w/"abcd"', '"x, abc"'],
)
def test_if_none_match_with_other_tags_proceeds(tags: str) -> None:
    assert judged(if_none_match=tags) is PROCEED


def test_if_none_match_may_come_in_several_lines() -> None:
    lines = CIMultiDict([("If-None-Match", '"x"'), ("If-None-Match", TAG)])

    assert evaluate("GET", lines, CURRENT) is NOT_MODIFIED


def test_if_none_match_refuses_a_write() -> None:
    assert judged("PUT", if_none_match="*") is FAILED
    assert judged("PUT", if_none_match=TAG) is FAILED
    assert judged("PUT", if_none_match='"x"') is PROCEED
    assert judged("PUT", None, if_none_match="*") is PROCEED


def test_if_none_match_makes_if_modified_since_count_for_nothing() -> None:
    assert judged(if_none_match='"x"', if_modified_since=AFTER) is PROCEED
    assert judged(if_none_match=TAG, if_modified_since=BEFORE) is NOT_MODIFIED


@pytest.mark.parametrize(
    ("date", "outcome"), [(BEFORE, PROCEED), (THEN, NOT_MODIFIED), (AFTER, NOT_MODIFIED)]
)
def test_if_modified_since(date: str, outcome: Outcome) -> None:
    assert judged(if_modified_since=date) is outcome
    assert judged("HEAD", if_modified_since=date) is outcome
    assert judged("PUT", if_modified_since=date) is PROCEED
    assert judged(current=Validators(TAG), if_modified_since=date) is PROCEED
    assert judged(current=None, if_modified_since=date) is PROCEED


@pytest.mark.parametrize(
    "date", ["", "yesterday", "784111777", f"{AFTER}, {AFTER}", "Sun, 31 Feb 2100 00:00:00 GMT"]
)
def test_dates_that_are_none_are_ignored(date: str) -> None:
    assert judged(if_modified_since=date) is PROCEED
    assert judged(if_unmodified_since=date) is PROCEED


@pytest.mark.parametrize(("tags", "outcome"), [(TAG, PROCEED), ("*", PROCEED), (f'"x", {TAG}', PROCEED)])
def test_if_match_with_the_tag_proceeds(tags: str, outcome: Outcome) -> None:
    assert judged(if_match=tags) is outcome
    assert judged("PUT", if_match=tags) is outcome


@pytest.mark.parametrize("tags", ['"x"', f"W/{TAG}", "abc", "", '"abc'])
def test_if_match_compares_strongly(tags: str) -> None:
    assert judged(if_match=tags) is FAILED


def test_if_match_fails_where_nothing_exists() -> None:
    assert judged("PUT", None, if_match="*") is FAILED
    assert judged("PUT", None, if_match=TAG) is FAILED


@pytest.mark.parametrize(("date", "outcome"), [(BEFORE, FAILED), (THEN, PROCEED), (AFTER, PROCEED)])
def test_if_unmodified_since(date: str, outcome: Outcome) -> None:
    assert judged(if_unmodified_since=date) is outcome
    assert judged(if_unmodified_since=date, if_match=TAG) is PROCEED
    assert judged(current=Validators(TAG), if_unmodified_since=date) is PROCEED


def test_what_refuses_a_request_is_judged_before_what_saves_a_transfer() -> None:
    assert judged(if_match='"x"', if_none_match=TAG) is FAILED
    assert judged(if_unmodified_since=BEFORE, if_none_match=TAG) is FAILED
    assert judged(if_match=TAG, if_none_match=TAG) is NOT_MODIFIED


def test_a_weak_tag_of_ours_matches_weakly_only() -> None:
    weak = Validators(f"W/{TAG}")

    assert judged(current=weak, if_none_match=TAG) is NOT_MODIFIED
    assert judged(current=weak, if_none_match=f"W/{TAG}") is NOT_MODIFIED
    assert judged(current=weak, if_match=TAG) is FAILED
    assert judged(current=weak, if_match=f"W/{TAG}") is FAILED
    assert not if_range_holds(CIMultiDict({"If-Range": f"W/{TAG}"}), weak)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (TAG, True),
        (THEN, True),
        ('"x"', False),
        (f"W/{TAG}", False),
        (BEFORE, False),
        (AFTER, False),
        ("", False),
    ],
)
def test_if_range_wants_this_very_version(value: str, holds: bool) -> None:
    assert if_range_holds(CIMultiDict({"If-Range": value}), CURRENT) is holds


def test_without_if_range_a_range_may_be_sent() -> None:
    assert if_range_holds(CIMultiDict(), CURRENT)
    assert not if_range_holds(CIMultiDict({"If-Range": THEN}), Validators(TAG))


NAMES = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"]
VALUES = st.one_of(
    st.text(), st.sampled_from([TAG, "*", THEN, BEFORE, 'W/"', '""', "Sun, 99 Nov 1994 99:99:99 GMT"])
)


@given(fields=st.lists(st.tuples(st.sampled_from(NAMES), VALUES)), method=st.sampled_from(["GET", "PUT"]))
@settings(deadline=None)
def test_no_field_is_an_error_and_a_write_is_never_answered_with_304(
    fields: list[tuple[str, str]], method: str
) -> None:
    headers = CIMultiDict(fields)

    outcome = evaluate(method, headers, CURRENT)

    assert method == "GET" or outcome is not NOT_MODIFIED
    assert if_range_holds(headers, CURRENT) in {True, False}
