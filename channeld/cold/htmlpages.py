"""The index.html files of a static channel: plain pages that need nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from html import escape
from typing import Final

_DAY_MS: Final = 86_400_000

#: Rows of one page; a browser gives up on a table of half a million.
MOST_FILES: Final = 20_000

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;"
    "padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .8rem .2rem 0;"
    "border-bottom:1px solid rgb(136 136 136 / 27%)}td.n{text-align:right}code{font-size:.85em;opacity:.7}"
)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A row of a subdir's page: size in bytes, time of the build in ms, 0 where it is not known."""

    filename: str
    size: int
    timestamp_ms: int
    sha256: str


def subdir_page(
    title: str, subdir: str, documents: Iterable[str], files: Iterable[ListedFile], count: int
) -> bytes:
    """List the documents and the files of a subdir, the first ``MOST_FILES`` of ``count``."""
    heading = f"{title}/{subdir}"
    lines = [*_head(heading), *_links(documents)]
    if count > MOST_FILES:
        lines.append(f"<p>The first {MOST_FILES:,} of {count:,} files; repodata.json has all of them.</p>")
    lines.append("<table><tr><th>File</th><th>Size</th><th>Built</th><th>SHA-256</th></tr>")
    for file in files:
        name = escape(
            file.filename
        )  # the names of package files need no escapes in URLs but for "+" and "!", as here
        lines.append(
            f'<tr><td><a href="{name}">{name}</a></td><td class="n">{file.size:,}</td>'
            f"<td>{_date(file.timestamp_ms)}</td><td><code>{file.sha256}</code></td></tr>"
        )
    lines += ["</table>", "</html>", ""]
    return "\n".join(lines).encode()


def channel_page(title: str, subdirs: Iterable[str], packages: Iterable[tuple[str, str, str]]) -> bytes:
    """List the subdirs and the packages (name, newest version, summary) of a channel."""
    lines = [*_head(title), *_links(["channeldata.json", "rss.xml"])]
    lines += _links(f"{subdir}/" for subdir in subdirs)
    lines.append("<table><tr><th>Package</th><th>Version</th><th>Summary</th></tr>")
    for package in packages:
        cells = "".join(f"<td>{escape(text)}</td>" for text in package)
        lines.append(f"<tr>{cells}</tr>")
    lines += ["</table>", "</html>", ""]
    return "\n".join(lines).encode()


def _head(title: str) -> Iterator[str]:
    text = escape(title)
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{text}</title>\n<style>{_STYLE}</style>\n<h1>{text}</h1>"


def _links(targets: Iterable[str]) -> Iterator[str]:
    links = " · ".join(f'<a href="{escape(target)}">{escape(target)}</a>' for target in targets)
    yield f"<p>{links}</p>"


def _date(timestamp_ms: int) -> str:
    return _day(timestamp_ms // _DAY_MS) if timestamp_ms else ""


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
