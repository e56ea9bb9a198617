"""The commands on the page of a channel name exactly that channel, and are safe to paste into a shell."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from channeld.pages.rendering import channel_page
from channeld.pages.values import ChannelPage
from tests.support.html import read
from tests.support.pages import CHANNEL


def commands(page: ChannelPage) -> list[str]:
    return [code.raw_text for code in read(channel_page(page)).all("code")]


def urls(page: ChannelPage) -> set[str]:
    return {shlex.split(line)[-1] for line in commands(page)}


def test_there_is_one_for_each_family_of_clients() -> None:
    assert commands(CHANNEL) == [
        "conda config --add channels https://conda.example.org/forge",
        "mamba config prepend channels https://conda.example.org/forge",
        "pixi workspace channel add --prepend https://conda.example.org/forge",
    ]


@pytest.mark.parametrize(
    ("change", "url"),
    [
        ({"base_url": "https://example.org/conda/"}, "https://example.org/conda/forge"),
        ({"label": "gcc/next"}, "https://conda.example.org/forge/label/gcc/next"),
        ({"snapshot": "2026-08-01"}, "https://conda.example.org/forge/snapshot/2026-08-01"),
        ({"label": "dev", "snapshot": "7"}, "https://conda.example.org/forge/snapshot/7/label/dev"),
        ({"private": True}, "https://conda.example.org/t/TOKEN/forge"),
        ({"private": True, "base_url": "http://h:8/x"}, "http://h:8/t/TOKEN/x/forge"),
    ],
)
def test_the_url_is_that_of_the_page(change: dict[str, str | bool], url: str) -> None:
    assert urls(replace(CHANNEL, **change)) == {url}  # type: ignore[arg-type]


@pytest.mark.parametrize("private", [False, True])
def test_without_a_known_url_the_page_says_what_to_put_there(private: bool) -> None:
    page = replace(CHANNEL, base_url="", private=private)
    assert urls(page) == {"URL"}
    notes = [each.text for each in read(channel_page(page)).all("p")]
    assert "URL stands for the address of this page, without index.html." in notes


@pytest.mark.parametrize("name", ["a b", "$(reboot)", "`x`", "a';rm -rf ~;'", "a\nb", "--help", "&&x"])
def test_nothing_in_a_name_reaches_the_shell(name: str) -> None:
    harmless = [shlex.split(line) for line in commands(CHANNEL)]
    changed = [
        shlex.split(line) for line in commands(replace(CHANNEL, channel=name, base_url=f"https://h/{name}"))
    ]
    assert [words[:-1] for words in changed] == [words[:-1] for words in harmless]
    assert all(words[-1].startswith(f"https://h/{name}/") for words in changed)
