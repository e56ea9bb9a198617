"""Feedstock tokens: the secret with which a feedstock's CI asks for its outputs to be copied. Pure.

The file is conda-smithy's ``tokens/<feedstock>.json``: ``{"tokens": [{"salt", "hashed_token", "provider"?,
"expires_at"?}]}``, or one such object by itself. A token is 32 random bytes in hex; what is kept of it is its scrypt
(RFC 7914) with N 16384, r 8, p 1 and 256 bytes, over 64 random bytes of salt. One verification takes 16 MiB and some
50 ms of a core: keep it off the event loop, and limit how often a stranger may ask for it.

A row counts where its provider is none or the one that asks, and its end is none or later than now. The first one that
matches decides, as in conda-forge-webservices.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import orjson

from channeld.errors import Rejected

SALT_BYTES: Final = 64
TOKEN_BYTES: Final = 32
DIGEST_BYTES: Final = 256
#: What ``new_token`` takes from the operating system.
RANDOM_BYTES: Final = SALT_BYTES + TOKEN_BYTES


@dataclass(eq=False)
class TokenFileMalformed(Rejected):
    """A file of feedstock tokens cannot be understood. ``problem`` completes "It …"."""

    problem: str

    advice: ClassVar[str] = "Write it as conda-smithy does, or make the feedstock a new token."

    def sentence(self) -> str:
        return f"The file of feedstock tokens cannot be read: it {self.problem}."


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is kept of one token."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    #: The CI service that may use it; None for all.
    provider: str | None = None
    #: Unix seconds; None for never.
    expires_at: float | None = None

    def counts(self, provider: str | None, now: float) -> bool:
        """Tell whether it may be used by a provider at a time."""
        return self.provider in (None, provider) and (self.expires_at is None or self.expires_at > now)

    def is_of(self, token: str) -> bool:
        """Tell whether it is kept of this token. Slow, and as slow for every token."""
        return hmac.compare_digest(_digest(token, self.salt), self.digest)


#: Stands in where there is no row to compare with, so that an unknown feedstock takes as long as a wrong token.
NOBODYS: Final = TokenRow(bytes(SALT_BYTES), bytes(DIGEST_BYTES))


@dataclass(frozen=True, slots=True)
class FeedstockTokens:
    """All tokens of one feedstock, in the order of the file."""

    rows: tuple[TokenRow, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> FeedstockTokens:
        """Read a file; raises ``TokenFileMalformed``."""
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise TokenFileMalformed("is not JSON") from None
        return cls.of(value)

    @classmethod
    def of(cls, value: object) -> FeedstockTokens:
        """Read what a file has, as JSON; raises ``TokenFileMalformed``."""
        if not isinstance(value, Mapping):
            raise TokenFileMalformed("is not an object")
        rows = value.get("tokens", [value])
        if not isinstance(rows, list):
            raise TokenFileMalformed("has no list of tokens")
        return cls(tuple(map(_read, rows)))

    def written(self) -> bytes:
        """Write the file, as conda-smithy does."""
        return json.dumps({"tokens": [_plain(row) for row in self.rows]}).encode()

    def rotated(self, new: TokenRow, now: float, overlap: float | None) -> FeedstockTokens:
        """Add a row; end those that it replaces ``overlap`` seconds from now, and drop those that have ended.

        It replaces the rows without an end that are for every provider, and those for its own. None ends nothing.
        """
        kept = [row for row in self.rows if row.expires_at is None or row.expires_at >= now]
        if overlap is not None:
            kept = [replace(row, expires_at=now + overlap) if _replaces(new, row) else row for row in kept]
        return FeedstockTokens((*kept, new))


@dataclass(frozen=True, slots=True)
class NewFeedstockToken:
    """A token just made, with the one text that is never shown again."""

    row: TokenRow
    text: str = field(repr=False)


def verify(token: str, known: FeedstockTokens | None, provider: str | None, now: float) -> bool:
    """Tell whether a token is a feedstock's. ``known`` is None for a feedstock that has none."""
    if not token:
        return False
    rows = [row for row in known.rows if row.counts(provider, now)] if known is not None else []
    # the row that stands in is never matched: no digest is all zeros
    return any(row.is_of(token) for row in rows or [NOBODYS])


def new_token(
    randomness: bytes, provider: str | None = None, expires_at: float | None = None
) -> NewFeedstockToken:
    """Make a token. ``randomness`` is ``RANDOM_BYTES`` from the operating system.

    Raises:
        ValueError: another number of bytes.
    """
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"A feedstock token takes {RANDOM_BYTES} random bytes, not {len(randomness)}.")
    salt, text = randomness[:SALT_BYTES], randomness[SALT_BYTES:].hex()
    return NewFeedstockToken(TokenRow(salt, _digest(text, salt), provider, expires_at), text)


def _digest(token: str, salt: bytes) -> bytes:
    # a header field may hold bytes that are no UTF-8
    secret = token.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(secret, salt=salt, n=16384, r=8, p=1, dklen=DIGEST_BYTES)


def _replaces(new: TokenRow, row: TokenRow) -> bool:
    return row.expires_at is None and row.provider in (None, new.provider)


def _read(value: object) -> TokenRow:
    if not isinstance(value, Mapping):
        raise TokenFileMalformed("has a token that is not an object")
    provider, expires_at = value.get("provider"), value.get("expires_at")
    if provider is not None and not isinstance(provider, str):
        raise TokenFileMalformed("has a provider that is not a text")
    if expires_at is not None and (isinstance(expires_at, bool) or not isinstance(expires_at, int | float)):
        raise TokenFileMalformed("has an expires_at that is not a number")
    return TokenRow(_bytes(value, "salt"), _bytes(value, "hashed_token"), provider, expires_at)


def _bytes(value: Mapping[str, Any], name: str) -> bytes:
    text = value.get(name)
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if not data:
        raise TokenFileMalformed(f"has a token whose {name} is not a text of hexadecimal digits")
    return data


def _plain(row: TokenRow) -> dict[str, Any]:
    plain: dict[str, Any] = {"salt": row.salt.hex(), "hashed_token": row.digest.hex()}
    if row.provider is not None:
        plain["provider"] = row.provider
    if row.expires_at is not None:
        plain["expires_at"] = row.expires_at
    return plain
