"""Cold paths: many packages that lie in a folder, read with every core: ``channeld index`` and ``channeld import``."""

from __future__ import annotations

from typing import Final

#: Below a channel's folder: what ``channeld index`` remembers of it.
STATE: Final = ".channeld"
#: What ``channeld index`` calls without loading it itself: the function that reads packages, in worker processes, and
#: the class that has all documents drawn; and what compiles the templates of pages.
READ: Final = "channeld.cold.indexing:read_packages"
DOCUMENTS: Final = "channeld.cold.documents:FolderDocuments"
TEMPLATES: Final = "channeld.pages.rendering:prepare"
