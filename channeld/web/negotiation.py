"""Which content coding a client gets (RFC 9110, section 12.5.3).

Only for documents that exist in several codings under one URL. What is called ``….zst`` is sent as it is: clients
undo a ``Content-Encoding`` before they decompress what the name promises.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import hdrs
from multidict import MultiMapping

from channeld.web.fields import combined

IDENTITY: Final = "identity"
ZSTD: Final = "zstd"
GZIP: Final = "gzip"

_MEMBER: Final = re.compile(
    r"[ \t]*(?P<coding>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*"
    r"(?:;[ \t]*q=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?",
    re.IGNORECASE,
)


def choose_coding(headers: MultiMapping[str], offered: tuple[str, ...]) -> str | None:
    """Return the coding to send, or None where the client takes none of those offered.

    Args:
        headers: of the request.
        offered: the codings at hand, the one we like best first. ``identity`` is the bytes as they are; whoever does
            not offer it sends it where this is None, or answers 406.

    A client that does not send ``Accept-Encoding`` may by the standard get any coding; here it gets none.
    """
    return _choose(combined(headers, hdrs.ACCEPT_ENCODING), offered)


@lru_cache(maxsize=512)
def _choose(accepted: str | None, offered: tuple[str, ...]) -> str | None:
    if accepted is None:
        return IDENTITY if IDENTITY in offered else None
    weights = _weights(accepted)
    best, best_weight = None, 0.0
    for coding in offered:
        weight = _weight_of(coding, weights)
        if weight > best_weight:
            best, best_weight = coding, weight
    return best


def _weight_of(coding: str, weights: dict[str, float]) -> float:
    if coding in weights:
        return weights[coding]
    if "*" in weights:
        return weights["*"]
    # Unless it is excluded identity is always acceptable, but a coding that was asked for comes first.
    return 0.0001 if coding == IDENTITY else 0.0


def _weights(accepted: str) -> dict[str, float]:
    """Return the weight of each coding that is named. A member that is not valid is as good as absent."""
    weights: dict[str, float] = {}
    for member in accepted.split(","):
        found = _MEMBER.fullmatch(member)
        if found is None:
            continue
        coding = found["coding"].lower()
        weights["gzip" if coding == "x-gzip" else coding] = float(found["weight"] or 1)
    return weights
