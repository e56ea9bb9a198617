"""The feed of the latest packages: well-formed, and about the right ones."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.formats.rss import LATEST, latest, rss

BUILT_AT = 1_656_741_161


def feed(*packages: tuple[str, Any], title: str = "example") -> ElementTree.Element:
    document = rss(title, "https://conda.example.org/example", packages, BUILT_AT)
    assert document.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n')
    root = ElementTree.fromstring(document)
    assert (root.tag, root.attrib) == ("rss", {"version": "2.0"})
    (channel,) = root
    assert channel.tag == "channel"
    return channel


def texts(element: ElementTree.Element) -> dict[str, str | None]:
    return {child.tag: child.text for child in element if child.tag != "item"}


EXAMPLE = {
    "description": "Long description.",
    "dev_url": "http://dev/",
    "doc_url": "https://doc/",
    "home": "http://pages/",
    "source_url": "http://pages/src.zip",
    "subdirs": ["win-64", "osx-64", "win-32", "osx-64"],
    "summary": "Short description",
    "timestamp": 1_656_654_761,
    "version": "1.2.3.4",
}


def test_the_channel_is_described_by_what_was_given() -> None:
    assert texts(feed(("a", EXAMPLE), ("b", EXAMPLE))) == {
        "title": "example",
        "link": "https://conda.example.org/example",
        "description": "The most recent 2 updates for example.",
        "pubDate": "Sat, 02 Jul 2022 05:52:41 GMT",
        "lastBuildDate": "Sat, 02 Jul 2022 05:52:41 GMT",
    }


def test_an_item_tells_of_one_package() -> None:
    (item,) = feed(("example1", EXAMPLE)).iter("item")
    assert texts(item) == {
        "title": "example1 1.2.3.4 [osx-64, win-32, win-64]",
        "description": "Long description.",
        "link": "https://doc/",
        "comments": "http://dev/",
        "pubDate": "Fri, 01 Jul 2022 05:52:41 GMT",
        "guid": "example1-1.2.3.4-1656654761",
    }
    assert [child.attrib for child in item if child.tag == "guid"] == [{"isPermaLink": "false"}]


def test_what_a_package_does_not_say_is_left_out_or_replaced() -> None:
    (item,) = feed(("bare", {"version": "1", "subdirs": ["noarch"], "timestamp": 0})).iter("item")
    assert texts(item) == {
        "title": "bare 1 [noarch]",
        "description": "No description.",
        "pubDate": "Thu, 01 Jan 1970 00:00:00 GMT",
        "guid": "bare-1-0",
    }


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"home": "h", "dev_url": "d"}, "h"),
        ({"dev_url": "d"}, "d"),
        ({"doc_url": "", "home": "h"}, "h"),
        ({"doc_url": ["first", "second"]}, "first"),
    ],
)
def test_an_item_links_to_the_best_page_there_is(fields: dict[str, Any], link: str) -> None:
    (item,) = feed(("alpha", {"version": "1", **fields})).iter("item")
    assert texts(item)["link"] == link


def test_the_latest_packages_come_first_and_no_more_than_a_hundred() -> None:
    packages = [(f"p{n:03}", {**EXAMPLE, "timestamp": n}) for n in range(LATEST + 50)]
    guids = [texts(item)["guid"] for item in feed(*packages).iter("item")]
    assert guids == [f"p{n:03}-1.2.3.4-{n}" for n in range(LATEST + 49, 49, -1)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=3 * LATEST))
def test_the_latest_of_all_are_the_latest_among_those_of_parts(packages: list[tuple[int, int]]) -> None:
    everything = [(f"p{number:03}", {"timestamp": age}) for number, (_, age) in enumerate(packages)]
    parts: dict[int, list[tuple[str, Any]]] = {}
    for package, (part, _) in zip(everything, packages, strict=True):
        parts.setdefault(part, []).append(package)
    chosen = [package for part in parts.values() for package in latest(part)]
    assert latest(chosen) == latest(everything)
    assert latest(everything) == sorted(everything, key=lambda one: (-one[1]["timestamp"], one[0]))[:LATEST]


def test_packages_of_one_time_are_in_order_of_their_names() -> None:
    packages = [(name, EXAMPLE) for name in ("c", "a", "b")]
    feeds = {rss("t", "l", order, BUILT_AT) for order in itertools.permutations(packages)}
    assert len(feeds) == 1
    titles = [texts(item)["title"] or "" for item in feed(*packages).iter("item")]
    assert [title[0] for title in titles] == ["a", "b", "c"]


def test_an_empty_channel_has_an_empty_feed() -> None:
    channel = feed()
    assert texts(channel)["description"] == "The most recent 0 updates for example."
    assert not list(channel.iter("item"))


@given(st.text(), st.text(), st.integers())
@settings(deadline=None)
def test_no_text_or_time_makes_the_feed_unreadable(name: str, text: str, timestamp: int) -> None:
    package = {"version": text, "description": text, "home": text, "timestamp": timestamp, "subdirs": [text]}
    (item,) = feed((name, package), title=text).iter("item")
    assert {child.tag for child in item} <= {"title", "description", "link", "pubDate", "guid"}
    assert (texts(item)["pubDate"] or "").endswith(" GMT")


def test_markup_in_a_text_stays_text() -> None:
    hostile = "</description><script>alert('&amp;')</script>]]>\x00\x1b\ufffe"
    (item,) = feed(("alpha", {**EXAMPLE, "description": hostile})).iter("item")
    assert texts(item)["description"] == "</description><script>alert('&amp;')</script>]]>"
    assert [child.tag for child in item] == ["title", "description", "link", "comments", "pubDate", "guid"]
