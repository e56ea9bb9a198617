"""Rule: tokens of feedstocks are added, rotated, revoked and imported, and what has ended does not come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import sqlalchemy as sa

from channeld.catalog import channels, feedstocks, feedstocktokens
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.feedstock_rejections import (
    FeedstockMissing,
    FeedstockNameMalformed,
    FeedstockTokenMissing,
    TooManyFeedstockTokens,
)
from channeld.catalog.feedstocks import MOST_THAT_COUNT
from channeld.catalog.feedstocktokens import Digest, Imported, Listed
from tests.support.catalog import NOW, UNCHANGED, Observed, actor, dump, make_channel, observe

SOON, LATE = NOW + 60_000, NOW + 3_600_000
NEVER = 10**18


def digest(letter: str, provider: str | None = None, expires_ms: int | None = None) -> Digest:
    return Digest(b"salt " + letter.encode(), b"digest " + letter.encode(), provider, expires_ms)


@pytest.fixture
def numpy(database: Database) -> Database:
    make_channel(database)
    database.write_now(lambda c: feedstocks.register(c, "chan", "numpy", actor()))
    return database


def add(database: Database, new: Digest, overlap_ms: int | None = None, now_ms: int = NOW) -> Listed:
    return database.write_now(
        lambda c: feedstocktokens.add(c, "chan", "numpy", new, actor(now_ms), overlap_ms)
    )


def import_(database: Database, files: Mapping[str, Sequence[Digest]], now_ms: int = NOW) -> Imported:
    return database.write_now(lambda c: feedstocktokens.import_(c, "chan", files, actor(now_ms)))


def known(database: Database, name: str = "numpy") -> list[tuple[bytes, bytes, str | None, int | None]]:
    listed = database.read_now(
        lambda c: feedstocktokens.every(c, feedstocks.get(c, channels.get(c, "chan"), name))
    )
    return [
        (each.token.salt, each.token.digest, each.token.provider, each.token.expires_ms) for each in listed
    ]


def usable(database: Database, provider: str | None = None, now_ms: int = NOW) -> list[bytes]:
    def find(c: sa.Connection) -> list[bytes]:
        feedstock = feedstocks.get(c, channels.get(c, "chan"), "numpy")
        return [
            one.salt[-1:] for one in feedstocks.tokens_of(c, feedstock.id) if one.counts(provider, now_ms)
        ]

    return database.read_now(find)


def test_a_token_is_kept_as_it_comes(numpy: Database) -> None:
    made = add(numpy, digest("a", "azure", LATE))
    assert (made.created_ms, made.created_by) == (NOW, "tester")
    assert known(numpy) == [(b"salt a", b"digest a", "azure", LATE)]


def test_who_has_no_feedstock_gets_no_token(numpy: Database) -> None:
    before = dump(numpy)
    with pytest.raises(FeedstockMissing):
        numpy.write_now(lambda c: feedstocktokens.add(c, "chan", "scipy", digest("a"), actor()))
    assert dump(numpy) == before


def test_a_token_counts_for_its_provider_until_it_ends(numpy: Database) -> None:
    add(numpy, digest("a"))
    add(numpy, digest("b", "azure"))
    add(numpy, digest("c", "azure", SOON))
    assert usable(numpy) == [b"a"]
    assert usable(numpy, "travis") == [b"a"]
    assert usable(numpy, "azure", SOON - 1) == [b"a", b"b", b"c"]
    assert usable(numpy, "azure", SOON) == [b"a", b"b"]


def test_rotation_ends_what_it_replaces_after_the_overlap(numpy: Database) -> None:
    for old in (digest("a"), digest("b", "azure"), digest("c", "travis"), digest("d", "azure", NOW + 10)):
        add(numpy, old)
    add(numpy, digest("e", "azure"), overlap_ms=60_000)
    assert [(salt[-1:], end) for salt, _, _, end in known(numpy)] == [
        (b"a", SOON),
        (b"b", SOON),
        (b"c", None),
        (b"d", NOW + 10),
        (b"e", None),
    ]
    assert usable(numpy, "azure", SOON) == [b"e"]


def test_rotation_without_overlap_ends_them_at_once(numpy: Database) -> None:
    add(numpy, digest("a"))
    add(numpy, digest("b", None, LATE), overlap_ms=None)
    add(numpy, digest("c"), overlap_ms=0)
    assert usable(numpy) == [b"c"]


def test_no_provider_can_use_more_than_a_few(numpy: Database) -> None:
    for number in range(MOST_THAT_COUNT):
        add(numpy, digest(str(number), "azure", SOON))
    before = dump(numpy)
    for one_more in (digest("x", "azure"), digest("y")):
        with pytest.raises(TooManyFeedstockTokens):
            add(numpy, one_more)
    assert dump(numpy) == before
    add(numpy, digest("z", "travis"))
    add(numpy, digest("x", "azure"), overlap_ms=0)
    assert usable(numpy, "azure") == [b"x"]


def test_what_has_ended_takes_no_place(numpy: Database) -> None:
    for number in range(MOST_THAT_COUNT):
        add(numpy, digest(str(number), None, SOON))
    add(numpy, digest("x"), now_ms=SOON)
    assert usable(numpy, now_ms=SOON) == [b"x"]


def test_a_revoked_token_leaves_its_salt(numpy: Database) -> None:
    kept, gone = add(numpy, digest("a")).token.id, add(numpy, digest("b")).token.id
    seen = observe(numpy, lambda c: feedstocktokens.revoke(c, "chan", "numpy", gone, actor(SOON)))
    assert seen == Observed(1, [], [("feedstock_token.revoke", "numpy")])
    assert known(numpy) == [(b"salt a", b"digest a", None, None), (b"salt b", b"", None, SOON)]
    assert usable(numpy) == [b"a"]
    again = observe(numpy, lambda c: feedstocktokens.revoke(c, "chan", "numpy", gone, actor(LATE)))
    assert again == UNCHANGED
    assert numpy.write_now(lambda c: feedstocktokens.revoke_all(c, "chan", "numpy", actor(LATE))) == 1
    assert numpy.write_now(lambda c: feedstocktokens.revoke_all(c, "chan", "numpy", actor(LATE))) == 0
    assert usable(numpy) == []
    assert kept < gone


def test_only_a_feedstocks_own_token_is_revoked_in_its_name(numpy: Database) -> None:
    numpy.write_now(lambda c: feedstocks.register(c, "chan", "scipy", actor()))
    mine = add(numpy, digest("a")).token.id
    before = dump(numpy)
    for name, token in (("scipy", mine), ("numpy", mine + 1), ("numpy", -1)):
        with pytest.raises(FeedstockTokenMissing):
            numpy.write_now(lambda c, n=name, i=token: feedstocktokens.revoke(c, "chan", n, i, actor()))  # type: ignore[misc]
    assert dump(numpy) == before


def test_files_are_imported_as_they_are(numpy: Database) -> None:
    files = {
        "numpy": [digest("a"), digest("b", "azure", LATE), digest("c", None, NOW)],
        "scipy": [digest("d", None, NEVER)],
        "empty": [],
    }
    assert import_(numpy, files) == Imported(3, 0, 0, 1, 2)
    assert known(numpy) == [(b"salt a", b"digest a", None, None), (b"salt b", b"digest b", "azure", LATE)]
    assert known(numpy, "scipy") == [(b"salt d", b"digest d", None, None)]
    assert known(numpy, "empty") == []


def test_importing_again_changes_nothing(numpy: Database) -> None:
    files = {"numpy": [digest("a"), digest("b", "azure", LATE)], "scipy": [digest("c")]}
    import_(numpy, files)
    before = dump(numpy)
    assert import_(numpy, files, SOON) == Imported(0, 3, 0, 0, 0)
    assert dump(numpy) == before


def test_an_import_brings_nothing_back_and_prolongs_nothing(numpy: Database) -> None:
    files = {"numpy": [digest("a"), digest("b"), digest("c")]}
    import_(numpy, files)
    revoked = numpy.read_now(lambda c: c.execute(sa.select(t.feedstock_tokens.c.id)).scalars().all())[0]
    numpy.write_now(lambda c: feedstocktokens.revoke(c, "chan", "numpy", revoked, actor()))
    add(numpy, digest("d"), overlap_ms=60_000)
    before = known(numpy)
    assert import_(numpy, files) == Imported(0, 3, 0, 0, 0)
    assert known(numpy) == before
    assert import_(numpy, {"numpy": [digest("c", None, NOW + 5)]}) == Imported(0, 1, 1, 0, 0)
    assert usable(numpy, None, NOW + 5) == [b"b", b"d"]


def test_a_batch_is_imported_whole_or_not_at_all(numpy: Database) -> None:
    before = dump(numpy)
    too_many = [digest(str(number)) for number in range(MOST_THAT_COUNT + 1)]
    with pytest.raises(TooManyFeedstockTokens):
        import_(numpy, {"aaa": [digest("a")], "numpy": too_many})
    with pytest.raises(FeedstockNameMalformed):
        import_(numpy, {"aaa": [digest("a")], "../x": [digest("b")]})
    assert dump(numpy) == before


def test_no_salt_and_no_digest_gets_into_the_audit(numpy: Database) -> None:
    first = add(numpy, digest("a", "azure", LATE)).token.id
    import_(numpy, {"numpy": [digest("b")]})
    numpy.write_now(lambda c: feedstocktokens.revoke(c, "chan", "numpy", first, actor()))
    rows = numpy.read_now(lambda c: c.execute(sa.select(t.audit).order_by(t.audit.c.id)).all())
    text = " ".join(str(value) for row in rows for value in row)
    for secret in (b"salt a", b"salt b", b"digest a", b"digest b"):
        assert secret.decode() not in text
        assert secret.hex() not in text
    assert [(row.action, row.before, row.after) for row in rows[2:3]] == [
        (
            "feedstock_token.create",
            "[]",
            f'[{{"expires_ms":{LATE},"id":{first},"provider":"azure"}}]',
        )
    ]
    assert "digest" not in repr(digest("a"))
