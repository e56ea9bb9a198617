"""Links are relative, so they stay on the mirror, below the token and in the snapshot in which they are followed."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest

from channeld.pages.rendering import channel_page, server_page, subdir_page
from channeld.pages.values import DEFAULT_LABEL, ChannelPage, SubdirPage
from channeld.web.urls import Kind, Resource, parse
from tests.support.html import read
from tests.support.pages import CHANNEL, SERVER, SUBDIR


def hrefs(page: bytes) -> list[str]:
    """Return every address on a page but those of its own data, in their order."""
    addresses = [element.attributes["href"] for element in read(page).all() if "href" in element.attributes]
    return [each for each in addresses if not each.startswith("data:")]


def test_those_of_a_channel() -> None:
    assert hrefs(channel_page(CHANNEL)) == [
        "rss.xml",
        "linux-64/index.html",
        "noarch/index.html",
        "win-64/index.html",
        "index.html",
        "label/gcc/next/index.html",
        "linux-64/numpy-2.3.1-py313_0.conda",
        "channeldata.json",
        "notices.json",
        "rss.xml",
    ]


def test_those_of_a_label() -> None:
    up = "../../../"
    assert hrefs(channel_page(replace(CHANNEL, label="gcc/next", documents=(), newest=()))) == [
        f"{up}index.html",
        "index.html",
        "linux-64/index.html",
        "noarch/index.html",
        "win-64/index.html",
        f"{up}index.html",
        f"{up}label/gcc/next/index.html",
    ]


def test_those_of_a_subdir() -> None:
    assert hrefs(subdir_page(replace(SUBDIR, label="dev"))) == [
        "../../../index.html",
        "../index.html",
        "index.html",
        "numpy-2.3.1-py313_0.conda",
        "repodata.json",
        "repodata.json.zst",
    ]


def test_those_of_the_server_are_the_urls_that_clients_take_for_channels() -> None:
    assert hrefs(server_page(SERVER)) == ["forge/", "lab/", "api/docs"]


def test_a_feed_is_announced_where_there_is_one() -> None:
    feeds = [link.attributes for link in read(channel_page(CHANNEL)).all("link")]
    assert {
        "rel": "alternate",
        "type": "application/rss+xml",
        "title": "Newest packages of forge",
        "href": "rss.xml",
    } in feeds
    assert "rss.xml" not in hrefs(channel_page(replace(CHANNEL, documents=())))


PLACES = [
    (token, snapshot, label)
    for token in ("", "/t/abc-123")
    for snapshot in (None, "7", "2026-08-01")
    for label in ("main", "dev", "gcc/next", "a/b.c/d")
]


@pytest.mark.parametrize(("token", "snapshot", "label"), PLACES)
def test_each_names_what_its_text_says(token: str, snapshot: str | None, label: str) -> None:
    channel = replace(CHANNEL, label=label, snapshot=snapshot)
    subdir = replace(SUBDIR, label=label, snapshot=snapshot)
    here = parse(f"{token}/forge/{'' if snapshot is None else f'snapshot/{snapshot}/'}{label_part(label)}")
    assert here is not None
    check(channel_page(channel), here, channel)
    check(subdir_page(subdir), replace(here, subdir="linux-64"), subdir)


def label_part(label: str) -> str:
    return "" if label == DEFAULT_LABEL else f"label/{label}/"


def check(page: bytes, here: Resource, values: ChannelPage | SubdirPage) -> None:
    """Follow every link of a page from both of its addresses, and compare what the server would find there."""
    home = replace(here, subdir=None, label=DEFAULT_LABEL)
    up = replace(here, subdir=None)
    expected = {
        "forge": home,
        "linux-64": replace(here, subdir="linux-64"),
        "noarch": replace(here, subdir="noarch"),
        "win-64": replace(here, subdir="win-64"),
        f"label {values.label}": up,
        "main 1,235 files": home,
        "gcc/next 1 file": replace(home, label="gcc/next"),
        "The channel today": replace(home, snapshot=None),
        "numpy-2.3.1-py313_0.conda": replace(
            here, subdir="linux-64", kind=Kind.ARTIFACT, file="numpy-2.3.1-py313_0.conda"
        ),
        "linux-64/numpy-2.3.1-py313_0.conda": replace(
            here, subdir="linux-64", kind=Kind.ARTIFACT, file="numpy-2.3.1-py313_0.conda"
        ),
        **{
            document.filename: replace(
                here,
                kind=Kind.CHANNEL_DOCUMENT if here.subdir is None else Kind.SUBDIR_DOCUMENT,
                file=document.filename,
            )
            for document in values.documents
        },
    }
    for base in (here.path, here.path + "index.html"):
        followed = {
            link.text: urlsplit(urljoin(f"https://mirror.example{base}", link.attributes["href"])).path
            for link in read(page).all("a")
        }
        assert {text: parse(path) for text, path in followed.items()} == {
            text: expected[text] for text in followed
        }


def test_a_file_name_is_a_link_to_that_name_whatever_is_in_it() -> None:
    odd = replace(SUBDIR.newest[0], filename="libc-1!2.0+a-h1+x_0.conda")
    (link,) = [each for each in hrefs(subdir_page(replace(SUBDIR, newest=(odd,)))) if "libc" in each]
    assert link == "libc-1!2.0%2Ba-h1%2Bx_0.conda"
    found = parse(f"/forge/linux-64/{link}")
    assert found is not None
    assert found.file == odd.filename
