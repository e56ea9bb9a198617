"""Stands in for ``conda.models.version``, which conda-index imports and PyPI lacks: rattler's order is the same."""

from __future__ import annotations

from rattler import Version


class VersionOrder(Version):
    """A version that can be compared (CEP 33)."""
