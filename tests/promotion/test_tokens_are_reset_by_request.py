"""A reset makes each feedstock new tokens and ends those that it has; their texts are in the answer alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channeld.catalog.database import Database
from channeld.promotion.requestplans import Fate
from tests.support.adminrequests import Desk, told
from tests.support.catalog import NOW, actions

RESET = "action: token_reset\nfeedstocks: [alpha, beta]\nproviders: [azure, gitlab]\n"
ONE = "action: token_reset\nfeedstocks: [alpha]\nproviders: [azure]\n"


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    made = Desk.over(database, tmp_path)
    yield made
    made.requests.close()


def providers(desk: Desk, feedstock: str) -> list[tuple[str | None, int | None]]:
    """Return provider and end of the tokens that still count."""
    return [
        (provider, end)
        for provider, end, digest in desk.tokens(feedstock)
        if digest and (end is None or end > desk.now_ms)
    ]


def test_each_feedstock_gets_a_token_for_each_provider(desk: Desk) -> None:
    applied = desk.apply(RESET)
    assert told(applied) == [("alpha", "done", ""), ("beta", "done", "")]
    assert [(token.feedstock, token.provider) for token in applied.tokens] == [
        ("alpha", "azure"),
        ("alpha", "gitlab"),
        ("beta", "azure"),
        ("beta", "gitlab"),
    ]
    assert len({token.text for token in applied.tokens}) == 4
    for feedstock in ("alpha", "beta"):
        made = [token for token in applied.tokens if token.feedstock == feedstock]
        assert desk.tokens(feedstock) == [(token.provider, None, token.digest.digest) for token in made]


def test_the_texts_are_nowhere_but_in_the_answer(desk: Desk) -> None:
    applied = desk.apply(RESET)
    everything = repr(desk.dump()) + repr(applied) + str(applied.tokens)
    assert [token.text for token in applied.tokens if token.text in everything] == []
    assert [row[0] for row in actions(desk.database)][-2:] == ["feedstock_token.reset"] * 2


def test_the_tokens_of_before_end_at_once(desk: Desk) -> None:
    desk.apply(RESET)
    desk.now_ms += 1
    desk.apply(ONE)
    assert providers(desk, "alpha") == [("azure", None)]
    assert providers(desk, "beta") == [("azure", None), ("gitlab", None)]


def test_with_an_overlap_they_end_later_each_at_its_first_end(desk: Desk) -> None:
    desk.apply(RESET)
    later = f"{ONE}existing_tokens_time_to_expiration: 60\n"
    desk.apply(later)
    assert providers(desk, "alpha") == [("azure", NOW + 60_000), ("gitlab", NOW + 60_000), ("azure", None)]
    desk.now_ms += 10_000
    desk.apply(later)
    assert providers(desk, "alpha") == [
        ("azure", NOW + 60_000),
        ("gitlab", NOW + 60_000),
        ("azure", NOW + 70_000),
        ("azure", None),
    ]


def test_as_many_tokens_as_may_count_are_not_exceeded(desk: Desk) -> None:
    later = f"{ONE}existing_tokens_time_to_expiration: 3600\n"
    fates = []
    for _ in range(6):
        before = desk.dump()
        rehearsed = desk.rehearse(later)
        assert desk.dump() == before
        applied = desk.apply(later)
        assert (rehearsed.fate is Fate.REFUSED) == (applied.fate is Fate.REFUSED)
        fates.append(applied.fate.value)
    assert fates == ["done", "done", "done", "done", "refused", "refused"]
    assert applied.steps[0].rule == "too_many_feedstock_tokens"
    assert (applied.tokens, desk.dump()) == ((), before)
    assert desk.apply(ONE).fate is Fate.DONE


@pytest.mark.parametrize("text", [RESET.replace("beta", "gamma"), RESET.replace("beta", "gamma, none")])
def test_for_what_is_refused_no_token_is_made(desk: Desk, text: str) -> None:
    before = desk.dump()
    applied = desk.apply(text)
    assert (applied.fate, applied.tokens, desk.dump()) == (Fate.REFUSED, (), before)
    assert next(desk.numbers) == 1


def test_a_dry_run_makes_none(desk: Desk) -> None:
    before = desk.dump()
    rehearsed = desk.rehearse(RESET)
    assert told(rehearsed) == [("alpha", "would_be_done", ""), ("beta", "would_be_done", "")]
    assert (rehearsed.tokens, desk.dump(), next(desk.numbers)) == ((), before, 1)
