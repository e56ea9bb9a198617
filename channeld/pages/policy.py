"""The Content-Security-Policy of every page: its own style and its own icon, and nothing else at all.

Each page states it as well, so that it holds on mirrors that send no such header (CSP level 3, section 3.3).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib import resources
from typing import Final

#: The text of the one ``<style>`` element, byte for byte.
STYLE: Final = resources.files("channeld.pages").joinpath("templates", "style.css").read_text("utf-8")

_STYLE_HASH: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: What a page can say about itself.
META_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

#: The value of the header field: the same, and that no other page may frame ours, which only a header can say.
CONTENT_SECURITY_POLICY: Final = f"{META_POLICY}; frame-ancestors 'none'"
