"""Where links lead: always relative, so that a page works below ``/t/<token>/`` and on every mirror.

Links to other pages end in ``index.html``: an object store has no idea of a folder's page.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from channeld.pages.values import DEFAULT_LABEL

#: The page of a folder.
PAGE: Final = "index.html"

_TOKEN: Final = re.compile(r"^/t/[^/]*")


def path(*parts: str) -> str:
    """Join parts to a relative path; a slash within a part stays one part's own.

    Everything is percent-encoded that could end a path, begin a scheme (``:``), or mean a space to S3 (``+``).
    """
    return "/".join(quote(part, safe="!=", errors="replace") for part in parts)


def to_label(label: str) -> str:
    """Return the way from the channel's folder down to the label's: empty, or with a slash at the end."""
    return "" if label == DEFAULT_LABEL else path("label", *label.split("/")) + "/"


def to_channel(label: str) -> str:
    """Return the way from a label's folder up to the channel's: empty, or with a slash at the end."""
    return "../" * to_label(label).count("/")


def without_token(requested: str) -> str:
    """Take the token out of a path that is shown to somebody: pages are copied into bug reports."""
    return _TOKEN.sub("/t/…", requested)
