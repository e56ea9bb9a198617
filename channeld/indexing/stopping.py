"""Stopping work that takes long, from another thread: it looks now and then whether it should."""

from __future__ import annotations


class Stopped(Exception):
    """The work was given up because the process stops."""


class StopFlag:
    """Says whether to stop. May be set from any thread."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask for it."""
        self._is_set = True

    def check(self) -> None:
        """Raise ``Stopped`` if somebody asked for it."""
        if self._is_set:
            raise Stopped
