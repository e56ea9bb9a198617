"""Cold paths: many packages that lie in a folder, read with every core: ``channeld index`` and ``channeld import``."""

from __future__ import annotations

from typing import Final

#: Below a channel's folder: what ``channeld index`` remembers of it.
STATE: Final = ".channeld"
#: The function that reads packages for ``channeld index``; only worker processes load it.
READ: Final = "channeld.cold.indexing:read_packages"
