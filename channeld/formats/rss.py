"""``rss.xml``: the latest packages of a channel, for people who follow it (RSS 2.0).

The contents are those of conda-index's feed, with its faults mended:

- title and link of the channel are given; conda-index has anaconda.org's built in.
- an item is identified by its package, version and time. conda-index has the ``source_url``, which all outputs of one
  recipe share, so that readers show but one of them.
- an item links to its documentation, else its home page, else its repository. conda-index gives the home page as
  ``source``, which in RSS is the feed that an item was taken from.
- characters that XML does not have are left out, instead of making the feed unreadable.
"""

from __future__ import annotations

import heapq
import html
import re
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from typing import Any, Final

#: How many packages are in the feed.
LATEST: Final = 100

# What is not a Char in XML 1.0, section 2.2.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: The end of the year 9999: dates go no further.
_LAST_SECOND: Final = 253_402_300_799

Entry = Mapping[str, Any]


def rss(title: str, link: str, packages: Iterable[tuple[str, Entry]], built_at: int) -> bytes:
    """Write the feed.

    Args:
        title: the channel's name, for people.
        link: its URL.
        packages: pairs of name and channeldata entry, in any order; the ``latest`` are taken.
        built_at: when what the feed shows last changed, in seconds since 1970.
    """
    shown = latest(packages)
    date = formatdate(built_at, usegmt=True)
    head = _elements(
        {
            "title": title,
            "link": link,
            "description": f"The most recent {len(shown)} updates for {title}.",
            "pubDate": date,
            "lastBuildDate": date,
        },
        indent=4,
    )
    items = "".join(_item(name, package) for name, package in shown)
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0">\n  <channel>\n'
        f"{head}{items}  </channel>\n</rss>\n"
    )
    return text.encode()


def latest(packages: Iterable[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    """Choose the packages that are in the feed, the latest by ``timestamp`` first; no more than those are held.

    Args:
        packages: as for ``rss``. What is chosen from parts of them may be chosen from again.
    """
    return heapq.nsmallest(LATEST, packages, key=lambda item: (-_timestamp(item[1]), item[0]))


def _item(name: str, package: Entry) -> str:
    version, timestamp = _text(package.get("version")), _timestamp(package)
    subdirs = ", ".join(sorted(set(package.get("subdirs") or ())))
    elements = {
        "title": f"{name} {version} [{subdirs}]",
        "description": _first(package, "description", "summary") or "No description.",
        "link": _first(package, "doc_url", "home", "dev_url"),
        "comments": _first(package, "dev_url"),
        "pubDate": formatdate(timestamp, usegmt=True),
    }
    guid = _escaped(f"{name}-{version}-{timestamp}")
    return f'    <item>\n{_elements(elements, indent=6)}      <guid isPermaLink="false">{guid}</guid>\n    </item>\n'


def _elements(elements: Mapping[str, str], indent: int) -> str:
    return "".join(
        f"{' ' * indent}<{tag}>{_escaped(text)}</{tag}>\n" for tag, text in elements.items() if text
    )


def _first(package: Entry, *fields: str) -> str:
    return next((text for field in fields if (text := _text(package.get(field)))), "")


def _text(value: object) -> str:
    # Old recipes give lists of URLs; the first one counts.
    if isinstance(value, list) and value:
        value = value[0]
    return value.strip() if isinstance(value, str) else ""


def _timestamp(package: Entry) -> int:
    timestamp = package.get("timestamp")
    return min(max(timestamp, 0), _LAST_SECOND) if isinstance(timestamp, int) else 0


def _escaped(text: str) -> str:
    return html.escape(_NO_XML.sub("", text), quote=False)
