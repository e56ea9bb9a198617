"""channeldata.json and the feed are the same however many workers draw a part of them each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from channeld.cold import documents
from channeld.formats.rss import LATEST, rss
from tests.support.folders import NOW, index, put_conda

PACKAGES = LATEST + 20
CHANNEL_FILES = ("channeldata.json", "rss.xml", "index.html")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of more names than the feed has, the latest of which are spread over all of the alphabet."""
    folder = tmp_path / "alone" / "tools"
    for number in range(PACKAGES):
        built_ms = 1_600_000_000_000 + number * 7919 % PACKAGES * 1000
        put_conda(folder, f"p{number:03}", index={"timestamp": built_ms})
    return folder


@pytest.mark.parametrize("processes", [2, 3])
def test_parts_that_workers_draw_make_the_same_documents(
    source: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    divided = source.parents[1] / "divided" / "tools"
    shutil.copytree(source, divided)
    index(source)
    monkeypatch.setattr(documents, "_MANY", 0)
    index(divided, processes=processes)
    assert {name: (divided / name).read_bytes() for name in CHANNEL_FILES} == {
        name: (source / name).read_bytes() for name in CHANNEL_FILES
    }


def test_the_feed_has_what_channeldata_tells_of_the_latest_packages(source: Path) -> None:
    index(source)
    packages = json.loads((source / "channeldata.json").read_bytes())["packages"]
    assert len(packages) == PACKAGES
    feed = (source / "rss.xml").read_bytes()
    assert feed == rss("tools", "", packages.items(), NOW // 1000)
    assert len(list(ElementTree.fromstring(feed).iter("item"))) == LATEST
