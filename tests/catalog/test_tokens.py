"""Rule: a token is shown once; afterwards its text is recognised, and nothing gives the secret away."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

import pytest

from channeld.catalog import audit, tokens
from channeld.catalog.database import Database
from channeld.catalog.grants import ADMINISTRATOR, Grant, Verb
from channeld.catalog.rejections import BadSettingValue, TokenMissing
from channeld.catalog.tokens import NewToken, Token
from tests.support.catalog import NOW, actor, dump

READER = Grant(frozenset({Verb.READ}), channels="a")


def create(
    database: Database,
    grants: Sequence[Grant] = (READER,),
    *,
    expires_ms: int | None = None,
    randomness: bytes | None = None,
) -> NewToken:
    drawn = randomness or secrets.token_bytes(tokens.RANDOM_BYTES)
    return database.write_now(
        lambda c: tokens.create(c, "ci", grants, actor(), randomness=drawn, expires_ms=expires_ms)
    )


def find(database: Database, text: str, now_ms: int = NOW) -> Token | None:
    return database.read_now(lambda c: tokens.find_valid(c, text, now_ms))


def test_a_token_has_letters_digits_and_dashes_only(database: Database) -> None:
    """conda and mamba cut others out of URLs in the middle."""
    texts = {create(database).text for _ in range(20)}

    assert len(texts) == 20
    for text in texts:
        assert re.fullmatch(r"cd-[a-z0-9]{12}-[a-z0-9]{32}", text)


def test_every_bit_of_the_secret_counts(database: Database) -> None:
    base = bytes(tokens.RANDOM_BYTES)
    seen = set()
    for byte in range(tokens.RANDOM_BYTES - tokens.SECRET_BYTES, tokens.RANDOM_BYTES):
        for bit in range(8):
            changed = bytearray(base)
            changed[byte] ^= 1 << bit
            seen.add(tokens._letters(bytes(changed)[-tokens.SECRET_BYTES :]))
    assert len(seen) == 160
    assert create(database, randomness=base).text == f"cd-{'a' * 12}-{'a' * 32}"


def test_its_text_is_recognised(database: Database) -> None:
    made, other = create(database), create(database, (ADMINISTRATOR,))

    assert made.token == Token(made.token.id, "ci", (READER,), NOW, "tester", None, None)
    assert find(database, made.text) == made.token
    assert find(database, other.text) == other.token
    assert {token.id: token for token in database.read_now(tokens.every)} == {
        made.token.id: made.token,
        other.token.id: other.token,
    }


def test_other_texts_are_not(database: Database) -> None:
    made, other = create(database), create(database)
    prefix, token_id, secret = made.text.split("-")
    _, other_id, other_secret = other.text.split("-")

    for text in (
        "",
        "cd",
        made.text.upper(),
        f" {made.text}",
        f"{made.text}\n",
        f"{made.text}-",
        f"{prefix}-{token_id}",
        f"{prefix}-{token_id}-",
        f"{prefix}-{token_id}-{secret[:-1]}",
        f"{prefix}-{token_id}-{other_secret}",
        f"{prefix}-{other_id}-{secret}",
        f"{prefix}-{'a' * 12}-{secret}",
        f"{prefix}-{token_id}-{hashlib.sha256(secret.encode()).hexdigest()}",
        f"{prefix}-{token_id}-{'0' * 32}",
        f"{prefix}-{'ä' * 12}-{secret}",
        "x" * 1_000_000,
    ):
        assert find(database, text) is None


def test_an_unknown_id_takes_the_way_of_a_wrong_secret(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(database)
    compared = []

    def compare(one: str, two: str) -> bool:
        compared.append((len(one), len(two)))
        return one == two

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert find(database, made.text[:-1] + ("a" if made.text[-1] != "a" else "b")) is None
    assert find(database, f"cd-{'z' * 12}-{'a' * 32}") is None
    assert compared == [(64, 64), (64, 64)]


def test_a_token_ends_when_it_expires(database: Database) -> None:
    made = create(database, expires_ms=NOW + 10)

    assert find(database, made.text, NOW + 9) == made.token
    assert find(database, made.text, NOW + 10) is None


def test_a_revoked_token_ends_at_once_and_stays_listed(database: Database) -> None:
    made = create(database)
    ended = database.write_now(lambda c: tokens.revoke(c, made.token.id, actor(NOW + 5)))

    assert find(database, made.text, NOW + 5) is None
    assert ended.revoked_ms == NOW + 5
    assert database.read_now(tokens.every) == [ended]
    before = dump(database)
    assert database.write_now(lambda c: tokens.revoke(c, made.token.id, actor(NOW + 6))) == ended
    assert dump(database) == before


def test_a_token_that_is_not_there_cannot_be_revoked(database: Database) -> None:
    create(database)
    before = dump(database)

    with pytest.raises(TokenMissing):
        database.write_now(lambda c: tokens.revoke(c, "nothing", actor()))
    assert dump(database) == before


@pytest.mark.parametrize(("grants", "expires_ms"), [((), None), ((READER,), NOW)])
def test_a_token_that_allows_nothing_is_not_made(
    database: Database, grants: Sequence[Grant], expires_ms: int | None
) -> None:
    before = dump(database)

    with pytest.raises(BadSettingValue):
        create(database, grants, expires_ms=expires_ms)
    assert dump(database) == before


def test_too_little_randomness_is_an_error(database: Database) -> None:
    with pytest.raises(ValueError, match="28 random bytes"):
        create(database, randomness=b"x" * 27)


def test_the_secret_is_told_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    made = create(database)
    secret = made.text.rpartition("-")[2]
    found = find(database, made.text)
    database.write_now(lambda c: tokens.revoke(c, made.token.id, actor()))

    assert secret not in repr(made)
    assert secret not in repr(found)
    assert secret not in repr(dump(database))
    assert secret not in caplog.text


def test_making_and_revoking_are_written_down(database: Database) -> None:
    made = create(database, (READER,), expires_ms=NOW + 10)
    database.write_now(lambda c: tokens.revoke(c, made.token.id, actor()))

    rows = database.read_now(audit.newest)
    assert [(row.action, row.channel, row.subject, row.revision) for row in rows] == [
        ("token.revoke", "", made.token.id, 0),
        ("token.create", "", made.token.id, 0),
    ]
    assert rows[1].after == (
        f'{{"expires_ms":{NOW + 10},'
        '"grants":[{"channels":"a","labels":"*","packages":"*","verbs":["read"]}],"name":"ci"}'
    )
