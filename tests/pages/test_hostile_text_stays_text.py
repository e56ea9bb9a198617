"""Whatever a package, a description or a request says, it is text on the page and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.pages.rendering import channel_page, error_page, server_page, subdir_page
from channeld.pages.values import ChannelLine, Document, ErrorPage, LabelLine, PackageLine, SubdirLine
from tests.support.html import Element, read
from tests.support.pages import CHANNEL, ERROR, PACKAGE, SERVER, SUBDIR

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "//evil.example/x",
    "https://evil.example/",
    "../../../etc/passwd",
    "</style></title><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}{{ page }}",
    "&lt;b&gt; &amp;amp; &#60;",
    "<!-- ]]> --><![CDATA[",
    "a\x00b\x1b[31m\r\n\x7f",
    "gnp.\u202eadnoc.x",
    "\ud800\udc80 lone",
    "\ufffe\U0001ffff",
    "x" * 5000,
    "",
]


def hostile(value: Any, text: str) -> Any:
    """Return a value with the text in the place of all its texts."""
    changed = {each.name: text for each in fields(value) if isinstance(getattr(value, each.name), str)}
    return replace(value, **changed)


def lines(text: str) -> dict[str, Any]:
    return {
        "newest": (hostile(PACKAGE, text),),
        "documents": (Document(text), Document("rss.xml")),
    }


def subdir(text: str) -> bytes:
    return subdir_page(replace(hostile(SUBDIR, text), snapshot=text, **lines(text)))


def channel(text: str) -> bytes:
    subdirs = (
        SubdirLine(subdir=text, packages=1, updated_ms=10**30),
        SubdirLine(subdir=text, packages=0),
    )
    page = hostile(CHANNEL, text)
    return channel_page(
        replace(page, snapshot=text, subdirs=subdirs, labels=(LabelLine(text, 1),), **lines(text))
    )


def server(text: str) -> bytes:
    listed = ChannelLine(channel=text, description=text, packages=1, labels=1, updated_ms=-1)
    return server_page(replace(SERVER, title=text, version=text, channels=(listed,)))


def error(text: str) -> bytes:
    made: ErrorPage = hostile(ERROR, text)
    return error_page(made)


PAGES = [subdir, channel, server, error]
every_page = pytest.mark.parametrize("make", PAGES, ids=[make.__name__ for make in PAGES])


def skeleton(element: Element) -> list[tuple[str, frozenset[str]]]:
    """Return the tags of a page with the names of their attributes: what text must never change."""
    return [(below.tag, frozenset(below.attributes)) for below in element.all() if below.tag != "span"]


def variants(make: Callable[[str], bytes]) -> list[list[tuple[str, frozenset[str]]]]:
    """Return what the page may look like: some paragraphs are left out where there is no text."""
    return [skeleton(read(make(text))) for text in ("harmless", "")]


@every_page
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_it_adds_no_element_and_no_attribute(make: Callable[[str], bytes], text: str) -> None:
    assert skeleton(read(make(text))) in variants(make)


@every_page
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_no_link_leaves_the_place_or_runs(make: Callable[[str], bytes], text: str) -> None:
    for element in read(make(text)).all():
        assert not any(name.startswith("on") or name in ("style", "src") for name in element.attributes)
        href = element.attributes.get("href", "")
        if element.tag == "link" and element.attributes["rel"] == "icon":
            assert href.startswith("data:image/svg+xml,")
        else:
            assert ":" not in href
            assert not href.startswith("//")


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec=None), min_size=1, max_size=40))
def test_any_text_at_all_makes_a_sound_page(text: str) -> None:
    for make in PAGES:
        # The sign in front keeps it from being a word that pages know, such as "broken" or "noarch".
        assert skeleton(read(make(f"~{text}"))) in variants(make)


def test_the_text_itself_is_shown() -> None:
    page = read(subdir("<b>&amp;</b>"))
    assert page.one("tbody").one("th").text == "<b>&amp;</b>"
    assert b"<b>" not in subdir("<b>&amp;</b>")


def test_what_html_cannot_say_is_replaced() -> None:
    shown = read(server("a\x00b\x1bc\ud800d\ufffee\u202ef\r\ng")).one("h1").raw_text
    assert shown.strip() == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffd\ng"


def test_a_name_in_another_script_stays_as_it_is() -> None:
    assert read(server("Канал 频道 قناة 🐍")).one("h1").text == "Канал 频道 قناة 🐍"


def test_a_time_that_no_calendar_has_is_unknown() -> None:
    line: PackageLine = replace(PACKAGE, indexed_ms=10**18)
    page = read(subdir_page(replace(SUBDIR, newest=(line,))))
    assert [cell.text for cell in page.one("tbody").all("td")][-1] == "unknown time"
