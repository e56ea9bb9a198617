"""The pages that browsers get with an error status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channeld.pages.rendering import error_page, not_found_page
from tests.support.html import read
from tests.support.pages import ERROR


def test_a_404_repeats_the_path_and_leads_home() -> None:
    page = read(not_found_page("/forge/linux-64/nunpy-1-0.conda"))
    assert page.one("title").text == "404 Not found"
    assert page.one("h1").text == "404 Not found"
    path, sentence, advice = (part.text for part in page.one("main").all("p"))
    assert (path, sentence) == ("/forge/linux-64/nunpy-1-0.conda", "There is nothing at this address.")
    assert advice.startswith(
        "Check the spelling of the channel, the label and the file name. A private channel "
    )
    assert [link.attributes["href"] for link in page.all("a")] == ["/"]


def test_an_error_has_its_own_sentence_and_advice() -> None:
    page = read(error_page(ERROR))
    assert page.one("h1").text == "503 Not now"
    assert [part.text for part in page.one("main").all("p")] == [
        "/forge/",
        "The database does not answer.",
        "Try again in 5 seconds.",
    ]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/t/abc-secret/forge/x", "/t/…/forge/x"),
        ("/t/abc-secret", "/t/…"),
        ("/t/", "/t/…"),
        ("/forge/t/x", "/forge/t/x"),
        ("/tea/x", "/tea/x"),
    ],
)
def test_a_token_is_not_shown(path: str, shown: str) -> None:
    page = not_found_page(path)
    assert read(page).one("code").text == shown
    assert b"secret" not in page


def test_a_long_path_is_cut() -> None:
    assert len(read(error_page(replace(ERROR, path="/x" * 4000))).one("code").text) == 300
