"""The Content-Security-Policy names the one style of a page; the page needs nothing more."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable

import pytest

from channeld.pages.policy import CONTENT_SECURITY_POLICY, META_POLICY
from tests.support.html import read
from tests.support.pages import EVERY_KIND

every_page = pytest.mark.parametrize("make", EVERY_KIND.values(), ids=EVERY_KIND.keys())


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@every_page
def test_the_style_is_the_one_of_the_policy(make: Callable[[], bytes]) -> None:
    style = read(make()).one("style")
    digest = b64encode(hashlib.sha256(style.raw_text.encode()).digest()).decode()
    assert directives(CONTENT_SECURITY_POLICY) == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert style.attributes == {}


@every_page
def test_the_page_states_it_before_its_style(make: Callable[[], bytes]) -> None:
    head = list(read(make()).one("head").all())
    stated = [
        number
        for number, element in enumerate(head)
        if element.attributes == {"http-equiv": "Content-Security-Policy", "content": META_POLICY}
    ]
    assert len(stated) == 1
    assert stated[0] < [element.tag for element in head].index("style")
    # In a page browsers ignore it, and complain.
    assert directives(META_POLICY) == {
        name: value
        for name, value in directives(CONTENT_SECURITY_POLICY).items()
        if name != "frame-ancestors"
    }


@every_page
def test_the_page_loads_runs_and_sends_nothing(make: Callable[[], bytes]) -> None:
    forbidden = {"script", "img", "iframe", "object", "embed", "form", "input", "base", "audio", "video"}
    page = read(make())
    assert {element.tag for element in page.all()} & forbidden == set()
    assert {link.attributes["rel"] for link in page.all("link")} <= {"icon", "alternate"}
    assert re.findall(r"url\(|@import|@font-face|https?:", page.one("style").raw_text) == []


@every_page
def test_search_engines_are_told_nothing(make: Callable[[], bytes]) -> None:
    assert b"robots" not in make()
