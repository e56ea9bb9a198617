"""The whole text of a small page of each kind, and the cases in which it says something else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channeld.pages.rendering import channel_page, server_page, subdir_page
from channeld.pages.values import Document, SubdirLine
from tests.support.html import Element, read
from tests.support.pages import CHANNEL, SERVER, SUBDIR

SAID = {"h1", "h2", "h3", "p", "li", "dt", "dd", "th", "td"}


def said(page: bytes) -> list[str]:
    """Return what stands on the page, one line for each innermost heading, paragraph, item, term or cell."""
    innermost = (
        element
        for element in read(page).one("body").all()
        if element.tag in SAID and not any(below.tag in SAID for below in element.all())
    )
    return [f"{element.tag} {element.text}" for element in innermost]


def test_the_page_of_a_subdir() -> None:
    assert said(subdir_page(SUBDIR)) == [
        "li forge",
        "li linux-64",
        "h1 linux-64",
        "p Packages for Linux, x86-64",
        *("dt Packages", "dd 1,234"),
        *("dt Names", "dd 321"),
        *("dt Removed", "dd 5"),
        *("dt Broken", "dd 2"),
        *("dt Revision", "dd 48,123"),
        *("dt Updated", "dd 2026-08-01 16:00 UTC"),
        "h2 Newest packages",
        "p 1 of 1,234, newest first.",
        *("th Package", "th Version and build", "th File", "th Size", "th Indexed"),
        "th numpy",
        "td 2.3.1 py313_0",
        *("dt sha256", f"dd {'0123456789abcdef' * 4}"),
        *("dt md5", f"dd {'fedcba9876543210' * 2}"),
        "td 1.2 MB",
        "td 2026-08-01 16:00 UTC",
        "h2 Documents",
        "li repodata.json every package and what it needs, patches applied 205 MB",
        "li repodata.json.zst the same, compressed with Zstandard",
        "p Made 2026-08-01 16:00 UTC from revision 48,123 of the channel, by channeld.",
    ]
    assert read(subdir_page(SUBDIR)).one("title").text == "forge / linux-64"


def test_the_page_of_a_channel() -> None:
    assert said(channel_page(CHANNEL)) == [
        "h1 forge",
        "p Packages for everybody.",
        *("dt Packages", "dd 1,235"),
        *("dt Subdirs", "dd 2"),
        *("dt Labels", "dd 2"),
        *("dt Revision", "dd 48,123"),
        *("dt Updated", "dd 2026-08-01 16:00 UTC"),
        "h2 Use this channel",
        "h3 conda",
        "h3 mamba, micromamba",
        "h3 pixi",
        "h2 Subdirs",
        *("h3 linux-64", "p Linux, x86-64", "p 1,234 packages", "p updated 2026-08-01 16:00 UTC"),
        *("h3 noarch", "p every platform", "p 1 package"),
        "p Empty: win-64",
        "h2 Labels",
        "li main 1,235 files",
        "li gcc/next 1 file",
        "h2 Newest packages",
        "p 1 of 1,235, newest first.",
        *("th Package", "th Version and build", "th File", "th Size", "th Indexed"),
        "th numpy",
        "td 2.3.1 py313_0",
        *("dt sha256", f"dd {'0123456789abcdef' * 4}"),
        *("dt md5", f"dd {'fedcba9876543210' * 2}"),
        "td 1.2 MB",
        "td 2026-08-01 16:00 UTC",
        "h2 Documents",
        "li channeldata.json one summary for each package name 900 B",
        "li notices.json messages that conda shows to users",
        "li rss.xml feed of the newest packages",
        "p Made 2026-08-01 16:00 UTC from revision 48,123 of the channel, by channeld.",
    ]
    assert read(channel_page(CHANNEL)).one("title").text == "forge"


def test_the_front_page() -> None:
    assert said(server_page(SERVER)) == [
        "h1 conda.example.org",
        "p Conda channels for conda, mamba and pixi",
        "h2 Public channels",
        "p 2 channels with 1,236 packages",
        *("h3 forge", "p Packages for everybody."),
        "p 1,235 packages, 2 labels, updated 2026-08-01 16:00 UTC",
        *("h3 lab", "p 1 package, 1 label"),
        "p channeld 1.2.3 · API documentation",
    ]


def test_a_server_without_channels_says_so() -> None:
    assert "p There are no public channels yet." in said(server_page(replace(SERVER, channels=())))


def test_an_empty_subdir_says_so_and_has_no_table() -> None:
    page = subdir_page(replace(SUBDIR, newest=()))
    assert "p There are no packages here yet." in said(page)
    assert list(read(page).all("table")) == []


def test_a_channel_without_any_package_names_its_subdirs() -> None:
    empty = (SubdirLine(subdir="noarch", packages=0), SubdirLine(subdir="win-64", packages=0))
    assert "p All are empty: noarch, win-64" in said(channel_page(replace(CHANNEL, subdirs=empty)))


def test_what_is_not_known_by_name_speaks_for_itself() -> None:
    page = said(subdir_page(replace(SUBDIR, subdir="plan9-mips", documents=(Document("new.json"),))))
    assert "li new.json" in page
    assert not any("Packages for" in line for line in page)


def test_a_label_is_named_in_title_heading_and_breadcrumb() -> None:
    page = channel_page(replace(CHANNEL, label="gcc/next"))
    assert read(page).one("title").text == "forge label gcc/next"
    assert said(page)[:3] == ["li forge", "li label gcc/next", "h1 forge label gcc/next"]
    assert "li label gcc/next" in said(subdir_page(replace(SUBDIR, label="gcc/next")))


def marked_current(page: bytes) -> list[str]:
    return [link.text for link in read(page).all("a") if link.attributes.get("aria-current") == "page"]


def test_the_page_that_is_open_is_marked() -> None:
    assert marked_current(channel_page(CHANNEL)) == ["main 1,235 files"]
    assert marked_current(channel_page(replace(CHANNEL, label="gcc/next"))) == [
        "label gcc/next",
        "gcc/next 1 file",
    ]
    assert marked_current(subdir_page(SUBDIR)) == ["linux-64"]


WARNING = "Marked as broken. These packages are kept for those who need exactly them. Do not install"


@pytest.mark.parametrize("label", ["main", "broken", "broken2"])
def test_the_label_broken_alone_warns(label: str) -> None:
    pages = (channel_page(replace(CHANNEL, label=label)), subdir_page(replace(SUBDIR, label=label)))
    assert [any(WARNING in line for line in said(page)) for page in pages] == [label == "broken"] * 2


def test_a_snapshot_says_which_it_is() -> None:
    for page in (channel_page(replace(CHANNEL, snapshot="7")), subdir_page(replace(SUBDIR, snapshot="7"))):
        assert "p Snapshot 7. The channel as it was then; it does not change. The channel today" in said(page)
    assert not any("Snapshot" in line for line in said(channel_page(CHANNEL)))


def test_a_private_channel_is_marked() -> None:
    private = said(channel_page(replace(CHANNEL, private=True)))
    assert "h1 forge private" in private
    assert "p Reading needs a token: put yours in the place of TOKEN." in private


def test_the_hashes_are_short_until_they_are_asked_for() -> None:
    summary: Element = read(subdir_page(SUBDIR)).one("summary")
    assert summary.text == "sha256 0123456789ab…"
    assert summary.attributes["title"] == f"sha256 {'0123456789abcdef' * 4}\nmd5 {'fedcba9876543210' * 2}"
    assert "open" not in read(subdir_page(SUBDIR)).one("details").attributes


def test_the_exact_size_is_a_tooltip() -> None:
    sizes = [data.attributes for data in read(subdir_page(SUBDIR)).all("data")]
    assert sizes == [
        {"value": "1234567", "title": "1,234,567 bytes"},
        {"value": "205364233", "title": "205,364,233 bytes"},
    ]
