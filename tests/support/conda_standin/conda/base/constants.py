"""Stands in for ``conda.base.constants``, which conda-index imports and PyPI does not have."""

from __future__ import annotations

from channeld.formats.names import KNOWN_SUBDIRS

PLATFORM_DIRECTORIES = tuple(sorted(KNOWN_SUBDIRS))
