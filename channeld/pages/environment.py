"""The templates, compiled once when the first page is made, and what they may call.

Whatever comes out of a package, a request or the database passes ``clean`` and is escaped; there is no way around it
but ``Markup``, which only ``human.moment`` and the style of the page use.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from channeld.pages import glossary, human, links
from channeld.pages.policy import META_POLICY, STYLE

# Not allowed in HTML: controls, lone surrogates, noncharacters. And what turns the direction of the text around
# beyond its own element, so that a file name could read as another one.
_UNFIT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)


def clean(value: object) -> object:
    """Replace what must not stand in a page by U+FFFD. Anything but text passes as it is.

    Raises:
        ValueError: None, which is a value that a template forgot to ask about.
    """
    if value is None:
        raise ValueError("a template shows None")
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNFIT.sub("\ufffd", value)


@cache
def environment() -> Environment:
    """Return the environment in which all pages are made."""
    folder = resources.files("channeld.pages").joinpath("templates")
    sources = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".html")}
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "count": human.count,
        "counted": human.counted,
        "size": human.size,
        "moment": human.moment,
        "platform": lambda subdir: glossary.PLATFORMS.get(subdir, ""),
        "about": lambda filename: glossary.DOCUMENTS.get(filename, ""),
    }
    made.globals |= {
        "path": links.path,
        "to_label": links.to_label,
        "PAGE": links.PAGE,
        # Ours, from the package itself: the one text that is written as it stands.
        "style": Markup(STYLE),  # noqa: S704
        "policy": META_POLICY,
    }
    return made
