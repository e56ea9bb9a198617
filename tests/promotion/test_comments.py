"""Rule: a refusal has a text for the people of the feedstock, in which nothing that was sent calls or marks up."""

from __future__ import annotations

from channeld.promotion.asking import Asked, Asker
from channeld.promotion.comments import comment
from channeld.promotion.outcomes import Fate, Outcome, OutputOutcome

ASKED = Asked(
    "conda-forge", "cf-staging", "alpha-feedstock", "main", {}, Asker("feedstock:alpha", ""), git_sha="abc123"
)
COPIED = OutputOutcome("noarch/alpha-1.0-0.conda", Fate.COPIED)


def refused(key: str, reason: str) -> OutputOutcome:
    return OutputOutcome(key, Fate.REFUSED, reason=reason)


def test_it_says_to_whom_what_and_why() -> None:
    text = comment(ASKED, Outcome((COPIED, refused("noarch/b-1.0-0.conda", "output b is wrong"))))
    assert text.startswith(
        "Hi @conda-forge/alpha! Some packages of the commit abc123 were not copied from the staging channel "
        "(cf-staging) to conda-forge.\n"
    )
    assert "- **noarch/alpha-1.0-0.conda**: yes\n- **noarch/b-1.0-0.conda**: no\n" in text
    assert "Errors:\n\n- output b is wrong\n" in text
    assert "belong to another feedstock" not in text


def test_it_helps_with_outputs_that_are_not_allowed() -> None:
    reason = "output x not allowed for conda-forge/alpha-feedstock"
    assert "belong to another feedstock" in comment(ASKED, Outcome((refused("x", reason),)))


def test_what_was_sent_calls_nobody_and_stays_on_its_line() -> None:
    hostile = "output '@everyone <img src=x>\n\n# Title' is not correctly formatted"
    text = comment(ASKED, Outcome((refused("@everyone\n- <b>", hostile),)))
    assert text.count("@") - text.count("@\N{ZERO WIDTH SPACE}") == 1
    assert "<" not in text
    assert "\n# Title" not in text


def test_a_copy_by_hand_is_about_no_feedstock() -> None:
    asked = Asked("conda-forge", "cf-staging", "", "main", {}, Asker("token", ""))
    assert comment(asked, Outcome((refused("x", "wrong"),))) == ""
