"""Rule: a feedstock token is what conda-smithy makes and conda-forge-webservices accepts, to the byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeld.promotion import feedstocktokens
from channeld.promotion.feedstocktokens import (
    RANDOM_BYTES,
    FeedstockTokens,
    TokenFileMalformed,
    TokenRow,
    new_token,
    verify,
)

NOW = 1_700_000_000.0
FIRST = new_token(bytes(range(RANDOM_BYTES)))
SECOND = new_token(bytes(range(1, RANDOM_BYTES + 1)))


def known(*rows: TokenRow) -> FeedstockTokens:
    return FeedstockTokens(rows)


def test_a_token_is_32_random_bytes_in_hex() -> None:
    assert FIRST.text == bytes(range(64, 96)).hex()
    assert FIRST.row.salt == bytes(range(64))


def test_the_digest_is_scrypt_with_the_parameters_of_conda_smithy() -> None:
    """RFC 7914, section 12: the third vector has N 16384, r 8, p 1; longer digests begin with the shorter ones."""
    row = TokenRow(
        b"SodiumChloride",
        bytes.fromhex(
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ),
    )
    whole = hashlib.scrypt(b"pleaseletmein", salt=row.salt, n=16384, r=8, p=1, dklen=256)
    assert whole[:64] == row.digest
    assert replace(row, digest=whole).is_of("pleaseletmein")
    assert not row.is_of("pleaseletmein")  # of another length


def test_the_right_token_is_verified_and_no_other() -> None:
    tokens = known(FIRST.row)
    assert verify(FIRST.text, tokens, None, NOW)
    for wrong in (SECOND.text, FIRST.text.upper(), FIRST.text + "0", FIRST.text[:-1], "", "ä", "\udcff"):
        assert not verify(wrong, tokens, None, NOW)


@pytest.mark.parametrize(
    ("provider", "asks", "valid"),
    [
        (None, None, True),
        (None, "azure", True),
        ("azure", "azure", True),
        ("azure", "travis", False),
        ("azure", None, False),
        ("azure", "Azure", False),
    ],
)
def test_a_token_is_for_its_provider(provider: str | None, asks: str | None, valid: bool) -> None:
    assert verify(FIRST.text, known(replace(FIRST.row, provider=provider)), asks, NOW) is valid


@pytest.mark.parametrize(
    ("expires_at", "valid"), [(None, True), (NOW + 0.5, True), (NOW, False), (NOW - 1, False), (0, False)]
)
def test_a_token_ends(expires_at: float | None, valid: bool) -> None:
    assert verify(FIRST.text, known(replace(FIRST.row, expires_at=expires_at)), None, NOW) is valid


def test_the_first_row_that_matches_decides_and_not_the_last_one() -> None:
    assert verify(FIRST.text, known(FIRST.row, SECOND.row), None, NOW)
    assert verify(SECOND.text, known(FIRST.row, SECOND.row), None, NOW)


@pytest.mark.parametrize(
    ("tokens", "computed"),
    [
        (None, 1),
        (known(), 1),
        (known(FIRST.row), 1),
        (known(replace(FIRST.row, expires_at=1)), 1),
        (known(replace(FIRST.row, provider="travis")), 1),
        (known(FIRST.row, replace(FIRST.row, provider="travis"), replace(FIRST.row, expires_at=1)), 1),
        (known(FIRST.row, FIRST.row), 2),
    ],
    ids=["unknown", "no rows", "one row", "ended", "other provider", "one that counts", "two that count"],
)
def test_an_unknown_feedstock_costs_as_much_as_a_wrong_token(
    monkeypatch: pytest.MonkeyPatch, tokens: FeedstockTokens | None, computed: int
) -> None:
    calls: list[str] = []
    original = feedstocktokens._digest

    def counted(token: str, salt: bytes) -> bytes:
        calls.append(token)
        return original(token, salt)

    monkeypatch.setattr(feedstocktokens, "_digest", counted)
    assert not verify(SECOND.text, tokens, "azure", NOW)
    assert len(calls) == computed


def test_the_comparison_does_not_stop_at_the_first_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return False

    monkeypatch.setattr("channeld.promotion.feedstocktokens.hmac.compare_digest", compare)
    assert not verify(FIRST.text, known(FIRST.row), None, NOW)
    assert not verify(FIRST.text, None, None, NOW)
    assert compared == [(256, 256)] * 2


def test_a_file_of_several_tokens_is_read_and_written_back() -> None:
    data = json.dumps(
        {
            "tokens": [
                {"salt": "00ff", "hashed_token": "aa"},
                {"salt": "01", "hashed_token": "bb", "provider": "azure"},
                {"salt": "02", "hashed_token": "cc", "provider": "travis", "expires_at": 1700000000.25},
            ]
        }
    ).encode()
    tokens = FeedstockTokens.parse(data)
    assert tokens == known(
        TokenRow(b"\x00\xff", b"\xaa"),
        TokenRow(b"\x01", b"\xbb", "azure"),
        TokenRow(b"\x02", b"\xcc", "travis", 1700000000.25),
    )
    assert tokens.written() == data


def test_a_file_of_one_bare_token_is_read_and_written_as_a_list() -> None:
    tokens = FeedstockTokens.parse(
        b'{"salt": "00", "hashed_token": "aa", "provider": null, "expires_at": null}'
    )
    assert tokens == known(TokenRow(b"\x00", b"\xaa"))
    assert tokens.written() == b'{"tokens": [{"salt": "00", "hashed_token": "aa"}]}'


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not an object"),
        (b'{"tokens": {}}', "has no list of tokens"),
        (b'{"tokens": [1]}', "has a token that is not an object"),
        (b"{}", "has a token whose salt is not a text of hexadecimal digits"),
        (
            b'{"salt": "0", "hashed_token": "aa"}',
            "has a token whose salt is not a text of hexadecimal digits",
        ),
        (
            b'{"salt": "00", "hashed_token": ""}',
            "has a token whose hashed_token is not a text of hexadecimal digits",
        ),
        (
            b'{"salt": "00", "hashed_token": 7}',
            "has a token whose hashed_token is not a text of hexadecimal digits",
        ),
        (b'{"salt": "00", "hashed_token": "aa", "provider": 7}', "has a provider that is not a text"),
        (
            b'{"salt": "00", "hashed_token": "aa", "expires_at": true}',
            "has an expires_at that is not a number",
        ),
        (
            b'{"salt": "00", "hashed_token": "aa", "expires_at": "soon"}',
            "has an expires_at that is not a number",
        ),
    ],
)
def test_what_is_no_such_file_is_told(data: bytes, problem: str) -> None:
    with pytest.raises(TokenFileMalformed) as refused:
        FeedstockTokens.parse(data)
    assert refused.value.sentence() == f"The file of feedstock tokens cannot be read: it {problem}."


def test_rotation_leaves_the_replaced_tokens_a_while() -> None:
    azure, travis = (TokenRow(b"s", b"d", provider) for provider in ("azure", "travis"))
    generic, ending, ended = (
        TokenRow(b"s", b"d"),
        TokenRow(b"s", b"d", None, NOW + 5),
        TokenRow(b"s", b"d", None, NOW - 1),
    )
    new = TokenRow(b"n", b"n", "azure")

    rotated = known(azure, travis, generic, ending, ended).rotated(new, NOW, 60)

    assert rotated == known(
        replace(azure, expires_at=NOW + 60), travis, replace(generic, expires_at=NOW + 60), ending, new
    )


def test_a_token_for_every_provider_replaces_only_those_for_every_provider() -> None:
    azure, generic, new = TokenRow(b"s", b"d", "azure"), TokenRow(b"s", b"d"), TokenRow(b"n", b"n")
    assert known(azure, generic).rotated(new, NOW, 60) == known(
        azure, replace(generic, expires_at=NOW + 60), new
    )


def test_without_an_overlap_nothing_ends() -> None:
    assert known(FIRST.row).rotated(SECOND.row, NOW, None) == known(FIRST.row, SECOND.row)


def test_in_the_overlap_both_tokens_work_and_then_the_new_one() -> None:
    tokens = known(FIRST.row).rotated(SECOND.row, NOW, 60)
    seen = {
        after: [verify(made.text, tokens, "azure", NOW + after) for made in (FIRST, SECOND)]
        for after in (0, 61)
    }
    assert seen == {0: [True, True], 61: [False, True]}


@pytest.mark.parametrize("count", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1])
def test_a_token_takes_exactly_its_randomness(count: int) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        new_token(bytes(count))


def test_no_secret_is_in_a_repr() -> None:
    text = repr((FIRST, known(FIRST.row)))
    assert FIRST.text not in text
    assert repr(FIRST.row.digest)[2:-1] not in text


ROWS = st.builds(
    TokenRow,
    st.binary(min_size=1, max_size=8),
    st.binary(min_size=1, max_size=8),
    st.none() | st.text("az", max_size=3),
    st.none() | st.integers(0, 2**40) | st.floats(0, 2**40),
)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=4))
def test_what_is_written_is_read_back(rows: list[TokenRow]) -> None:
    assert FeedstockTokens.parse(known(*rows).written()) == known(*rows)
