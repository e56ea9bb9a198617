"""Tokens: who may do what. A token is shown once, when it is made; the catalog keeps a hash of its secret.

It looks like ``cd-<id>-<secret>`` and has letters, digits and dashes only: clients that find tokens in URLs cut at
anything else, underscores included. The id finds the row and may be shown and logged; the secret must not be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import audit
from channeld.catalog import tables as t
from channeld.catalog.audit import Actor, Change
from channeld.catalog.grants import Grant
from channeld.catalog.prepared import Prepared
from channeld.catalog.rejections import BadSettingValue, TokenMissing

ID_CHARACTERS: Final = 12  # 60 random bits: no two tokens get the same
SECRET_BYTES: Final = 20  # 160 bits: nobody guesses one, and a plain hash of it cannot be searched
RANDOM_BYTES: Final = 8 + SECRET_BYTES

_TOKEN: Final = re.compile(r"cd-([a-z0-9]{12})-([a-z0-9]{32})")
_NO_HASH: Final = "0" * 64  # what is compared when the id is unknown; no secret has it


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the catalog knows it: all but the secret."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    created_ms: int
    created_by: str
    expires_ms: int | None
    revoked_ms: int | None

    def valid(self, now_ms: int) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, with the one text that is never shown again."""

    token: Token
    text: str = field(repr=False)


def create(
    connection: Connection,
    name: str,
    grants: Sequence[Grant],
    actor: Actor,
    *,
    randomness: bytes,
    expires_ms: int | None = None,
) -> NewToken:
    """Make a token. ``randomness`` is ``RANDOM_BYTES`` from the operating system; ``name`` is for people.

    Raises:
        BadSettingValue: no grants, or an end that has passed.
        ValueError: too little randomness.
    """
    if len(randomness) < RANDOM_BYTES:
        raise ValueError(f"A token takes {RANDOM_BYTES} random bytes, not {len(randomness)}.")
    if not grants:
        raise BadSettingValue("The list of a token's grants", "[]", "not empty")
    if expires_ms is not None and expires_ms <= actor.now_ms:
        raise BadSettingValue(
            "The end of a token", str(expires_ms), f"later than {actor.now_ms}, which is now"
        )
    token_id = _letters(randomness[:-SECRET_BYTES])[:ID_CHARACTERS]
    secret = _letters(randomness[-SECRET_BYTES:])
    listed = [grant.as_json() for grant in grants]
    token = Token(token_id, name, tuple(grants), actor.now_ms, actor.id, expires_ms, None)
    connection.execute(
        t.tokens.insert().values(
            id=token_id,
            name=name,
            secret_sha256=_hash(secret),
            grants=orjson.dumps(listed).decode(),
            created_ms=actor.now_ms,
            created_by=actor.id,
            expires_ms=expires_ms,
        )
    )
    after = {"name": name, "grants": listed, "expires_ms": expires_ms}
    audit.record(connection, actor, Change("token.create", "", token_id, after=after))
    return NewToken(token, f"cd-{token_id}-{secret}")


_BY_ID: Final = Prepared(sa.select(t.tokens).where(t.tokens.c.id == sa.bindparam("id")))


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def find_valid(connection: Connection, text: str, now_ms: int) -> Token | None:
    """Return the token that a text is; None when it is unknown, wrong, expired or revoked, without saying which.

    An unknown id takes the same way as a wrong secret, so that the time it takes does not tell ids apart.
    """
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    row = _BY_ID.first(connection, {"id": found[1]})
    kept = row.secret_sha256 if row is not None else _NO_HASH
    right = hmac.compare_digest(_hash(found[2]), kept)
    if row is None or not right:
        return None
    token = _from_row(row)
    return token if token.valid(now_ms) else None


def get(connection: Connection, token_id: str) -> Token:
    """Look a token up by its id; raises ``TokenMissing``."""
    row = _BY_ID.first(connection, {"id": token_id})
    if row is None:
        raise TokenMissing(token_id)
    return _from_row(row)


def every(connection: Connection) -> list[Token]:
    """List all tokens, also those that are no longer valid, in the order in which they were made."""
    query = sa.select(t.tokens).order_by(t.tokens.c.created_ms, t.tokens.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def revoke(connection: Connection, token_id: str, actor: Actor) -> Token:
    """End a token, at once and for ever. Revoking it again changes nothing. Raises ``TokenMissing``."""
    mine = sa.and_(t.tokens.c.id == token_id, t.tokens.c.revoked_ms.is_(None))
    ended = connection.execute(t.tokens.update().where(mine).values(revoked_ms=actor.now_ms))
    token = get(connection, token_id)
    if ended.rowcount:
        audit.record(connection, actor, Change("token.revoke", "", token_id, before={"name": token.name}))
    return token


def _from_row(row: Any) -> Token:
    grants = tuple(Grant.stored(grant) for grant in orjson.loads(row.grants))
    return Token(row.id, row.name, grants, row.created_ms, row.created_by, row.expires_ms, row.revoked_ms)
