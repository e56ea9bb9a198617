"""Rule: outputs and globs are registered for many feedstocks at once, all of them or none."""

from __future__ import annotations

import pytest

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog.database import Database
from channeld.catalog.feedstock_rejections import FeedstockMissing, FeedstockNameMalformed
from channeld.errors import Rejected
from channeld.formats.rejections import BadName
from channeld.promotion import registering
from channeld.promotion.globs import GlobMalformed
from channeld.promotion.registering import Registered, Wanted, keyed
from tests.support.catalog import UNCHANGED, Observed, actor, dump, make_channel, observe


@pytest.fixture
def chan(database: Database) -> Database:
    make_channel(database)
    return database


def owners(database: Database, *names: str) -> dict[str, tuple[str, ...]]:
    return database.read_now(lambda c: outputs.owners(c, channels.get(c, "chan").id, names))


WANTED = Wanted.checked({"NumPy": ["numpy"], "bc": ["bc", "gnu"]}, {"llvmdev": ["libllvm*", "*-llvm"]})


def test_an_import_registers_feedstocks_outputs_and_globs(chan: Database) -> None:
    seen = observe(chan, lambda c: registering.import_(c, "chan", WANTED, actor(), ["lonely"]))
    assert seen.marks == []
    assert sorted(seen.actions) == [
        *(("feedstock.register", name) for name in ("bc", "gnu", "llvmdev", "lonely", "numpy")),
        ("glob.add", "llvmdev"),
        ("glob.add", "llvmdev"),
        ("output.register", "bc"),
        ("output.register", "bc"),
        ("output.register", "numpy"),
    ]
    assert owners(chan, "numpy", "bc") == {"numpy": ("numpy",), "bc": ("bc", "gnu")}


def test_importing_again_changes_nothing(chan: Database) -> None:
    chan.write_now(lambda c: registering.import_(c, "chan", WANTED, actor()))
    again = []
    seen = observe(chan, lambda c: again.append(registering.import_(c, "chan", WANTED, actor())))
    assert (seen, again) == (UNCHANGED, [Registered(0, 0, 0)])


def test_an_import_adds_what_is_missing(chan: Database) -> None:
    chan.write_now(lambda c: registering.import_(c, "chan", WANTED, actor()))
    more = Wanted.checked({"bc": ["new", "bc"]}, {"llvmdev": ["libllvm*", "clang*"]})
    assert chan.write_now(lambda c: registering.import_(c, "chan", more, actor())) == Registered(1, 1, 1)
    assert owners(chan, "bc") == {"bc": ("bc", "gnu", "new")}


def test_adding_needs_feedstocks_that_are_there(chan: Database) -> None:
    chan.write_now(lambda c: feedstocks.register(c, "chan", "numpy", actor()))
    both = Wanted.checked({"numpy": ["numpy", "stranger"]}, {})
    before = dump(chan)
    with pytest.raises(FeedstockMissing):
        chan.write_now(lambda c: registering.add(c, "chan", both, actor()))
    assert dump(chan) == before
    mine = Wanted.for_one("numpy", ["numpy"], ["numpy-*"])
    seen = observe(chan, lambda c: registering.add(c, "chan", mine, actor()))
    assert seen == Observed(2, [], [("output.register", "numpy"), ("glob.add", "numpy")])


@pytest.mark.parametrize(
    ("owned", "globs", "rule"),
    [
        ({"../x": ["numpy"]}, {}, BadName),
        ({"lib*": ["numpy"]}, {}, BadName),
        ({"x": ["../numpy"]}, {}, FeedstockNameMalformed),
        ({"x": ["numpy-feedstock"]}, {}, FeedstockNameMalformed),
        ({}, {"a/b": ["lib*"]}, FeedstockNameMalformed),
        ({}, {"numpy": ["**"]}, GlobMalformed),
        ({}, {"numpy": ["[a-z]*"]}, GlobMalformed),
        ({}, {"numpy": ["x" * 300]}, GlobMalformed),
    ],
)
def test_what_may_not_be_registered_is_told_before_anything_is(
    owned: dict[str, list[str]], globs: dict[str, list[str]], rule: type[Rejected]
) -> None:
    with pytest.raises(rule):
        Wanted.checked({"fine": ["fine"], **owned}, {"fine": ["fine*"], **globs})


def test_globs_are_kept_with_what_finds_them() -> None:
    assert [(each.glob, each.core) for each in keyed(["libllvm*", "*-[ab]x"])] == [
        ("libllvm*", "libllvm"),
        ("*-[ab]x", "-"),
    ]
