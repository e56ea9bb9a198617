"""Every page is well-formed HTML that people reach with a screen reader, a keyboard or a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from channeld.pages.rendering import channel_page, error_page, server_page, subdir_page
from tests.support.html import Element, read
from tests.support.pages import CHANNEL, ERROR, EVERY_KIND, SERVER, SUBDIR

VARIANTS = {
    **EVERY_KIND,
    "empty subdir": lambda: subdir_page(replace(SUBDIR, newest=(), documents=(), packages=0)),
    "empty channel": lambda: channel_page(
        replace(CHANNEL, description="", subdirs=(), labels=(), documents=(), newest=())
    ),
    "label": lambda: channel_page(replace(CHANNEL, label="gcc/next", private=True, base_url="")),
    "broken in a snapshot": lambda: subdir_page(replace(SUBDIR, label="broken", snapshot="2026-08-01")),
    "broken channel in a snapshot": lambda: channel_page(replace(CHANNEL, label="broken", snapshot="7")),
    "empty server": lambda: server_page(replace(SERVER, channels=())),
    "error without advice": lambda: error_page(replace(ERROR, advice="")),
}
every_page = pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS.keys())


def ids(page: Element) -> list[str]:
    return [element.attributes["id"] for element in page.all() if "id" in element.attributes]


@every_page
def test_it_is_well_formed_and_says_its_language_and_coding(make: Callable[[], bytes]) -> None:
    page = read(make())
    assert page.attributes == {"lang": "en"}
    assert next(page.one("head").all()).attributes == {"charset": "utf-8"}
    assert page.one("title").text


@every_page
def test_it_has_one_of_each_landmark_and_one_main_heading(make: Callable[[], bytes]) -> None:
    body = read(make()).one("body")
    top = [child.tag for child in body.children if isinstance(child, Element)]
    assert top == ["header", "main", "footer"]
    assert body.one("h1").text
    levels = [int(element.tag[1]) for element in body.all() if re.fullmatch("h[1-6]", element.tag)]
    assert all(below - above <= 1 for above, below in pairwise(levels))


@every_page
def test_its_sections_and_tables_are_named(make: Callable[[], bytes]) -> None:
    page = read(make())
    assert len(ids(page)) == len(set(ids(page)))
    for element in page.all():
        if element.tag in ("section", "table"):
            assert element.attributes["aria-labelledby"] in ids(page)
        if element.tag == "nav":
            assert element.attributes["aria-label"]
        if element.tag == "svg":
            assert element.attributes["aria-hidden"] == "true"


@every_page
def test_it_fits_a_phone_and_both_schemes(make: Callable[[], bytes]) -> None:
    metas = {
        element.attributes["name"]: element.attributes["content"]
        for element in read(make()).all("meta")
        if "name" in element.attributes
    }
    assert metas == {
        "viewport": "width=device-width, initial-scale=1",
        "color-scheme": "light dark",
        "referrer": "no-referrer",
    }


def test_every_heading_of_a_table_says_what_it_heads() -> None:
    table = read(subdir_page(SUBDIR)).one("table")
    assert [cell.attributes["scope"] for cell in table.one("thead").all("th")] == ["col"] * 5
    assert [cell.attributes["scope"] for cell in table.one("tbody").all("th")] == ["row"]
    for row in table.all("tr"):
        assert len([child for child in row.children if isinstance(child, Element)]) == 5


def test_every_time_is_one_for_machines() -> None:
    times = list(read(channel_page(CHANNEL)).all("time"))
    assert {(time.attributes["datetime"], time.text) for time in times} == {
        ("2026-08-01T16:00:00.250Z", "2026-08-01 16:00 UTC")
    }
