"""Conditional requests (RFC 9110, section 13) as pure functions of header fields and validators.

Entity tags are as they are sent, with their quotes. Dates are Unix seconds.
What makes no sense never yields a 304: such a date is ignored, as RFC 9110 demands, and such a tag matches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiohttp import hdrs
from multidict import MultiMapping

from channeld.web.fields import combined, parse_date

_ENTITY_TAG: Final = re.compile(r'(W/)?("[^"]*")')
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Outcome(Enum):
    """What the preconditions of a request ask for: the request itself, or one of two short answers."""

    PROCEED = 200
    NOT_MODIFIED = 304
    PRECONDITION_FAILED = 412


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a representation from another. ``last_modified`` None: no date is known."""

    etag: str
    last_modified: int | None = None


def evaluate(method: str, headers: MultiMapping[str], current: Validators | None) -> Outcome:
    """Judge the preconditions of a request in the order of section 13.2.2.

    ``current`` None: there is nothing under this URL yet, as before a PUT that creates it.
    ``If-Range`` is apart (``if_range_holds``): it never refuses a request, it only drops the range.
    """
    if not _may_go_on(headers, current):
        return Outcome.PRECONDITION_FAILED
    if not _is_known(method, headers, current):
        return Outcome.PROCEED
    return Outcome.NOT_MODIFIED if method in _SAFE_METHODS else Outcome.PRECONDITION_FAILED


def _may_go_on(headers: MultiMapping[str], current: Validators | None) -> bool:
    """Judge ``If-Match``, or without it ``If-Unmodified-Since`` (sections 13.1.1 and 13.1.4)."""
    tags = combined(headers, hdrs.IF_MATCH)
    if tags is not None:
        return current is not None and _strongly_matches(tags, current.etag)
    changed = _last_modified(current)
    limit = _date(headers, hdrs.IF_UNMODIFIED_SINCE)
    return changed is None or limit is None or changed <= limit


def _is_known(method: str, headers: MultiMapping[str], current: Validators | None) -> bool:
    """Judge ``If-None-Match``, or without it ``If-Modified-Since`` (sections 13.1.2 and 13.1.3)."""
    tags = combined(headers, hdrs.IF_NONE_MATCH)
    if tags is not None:
        return current is not None and _weakly_matches(tags, current.etag)
    if method not in _SAFE_METHODS:
        return False
    changed = _last_modified(current)
    seen = _date(headers, hdrs.IF_MODIFIED_SINCE)
    return changed is not None and seen is not None and changed <= seen


def if_range_holds(headers: MultiMapping[str], current: Validators) -> bool:
    """Say whether a ``Range`` may be honoured: there is no ``If-Range``, or it names this very version (13.1.5)."""
    wanted = headers.get(hdrs.IF_RANGE)
    if wanted is None:
        return True
    if wanted.startswith(('"', "W/")):
        return wanted == current.etag and not wanted.startswith("W/")
    seen = parse_date(wanted)
    return seen is not None and seen == current.last_modified


def _strongly_matches(tags: str, etag: str) -> bool:
    if tags == "*":
        return True
    return any(not weak and opaque == etag for weak, opaque in _ENTITY_TAG.findall(tags))


def _weakly_matches(tags: str, etag: str) -> bool:
    if tags in (etag, "*"):
        return True
    strong = etag.removeprefix("W/")
    return any(opaque == strong for _, opaque in _ENTITY_TAG.findall(tags))


def _last_modified(current: Validators | None) -> int | None:
    return None if current is None else current.last_modified


def _date(headers: MultiMapping[str], name: str) -> int | None:
    value = headers.get(name)
    return None if value is None else parse_date(value)
