"""Rule: the registry in the catalog says of every output what the pure rules say, at once and among many globs."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog import tables as t
from channeld.catalog.database import Database, open_database
from channeld.catalog.manyrows import insert_many
from channeld.formats.rejections import BadName
from channeld.promotion import registering
from channeld.promotion.globs import GLOB_LIMIT, core_of
from channeld.promotion.outputs import Globs, Registry, Standing
from channeld.promotion.registering import Wanted
from channeld.promotion.registry import OutputRegistry, Publishers
from tests.support.catalog import NOW, actor, make_channel

REGISTRY = OutputRegistry()
NAMES = ("ab", "abc", "xab", "b-1", "B-1", "a.b", "abab", "zz")
FEEDSTOCKS = ("one", "two", "three")


@pytest.fixture
def chan(database: Database) -> Database:
    make_channel(database)
    return database


def fill(
    database: Database, owned: Mapping[str, Sequence[str]], globs: Mapping[str, Sequence[str]] | None = None
) -> None:
    wanted = Wanted.checked(owned, globs or {})
    database.write_now(lambda c: registering.import_(c, "chan", wanted, actor(), FEEDSTOCKS))


def standings(database: Database, feedstock: str, *names: str) -> dict[str, Standing]:
    return database.read_now(lambda c: REGISTRY.standings(c, channels.get(c, "chan").id, feedstock, names))


def publishers(database: Database, name: str) -> Publishers:
    return database.read_now(lambda c: REGISTRY.publishers(c, channels.get(c, "chan").id, name))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.lists(st.sampled_from(FEEDSTOCKS), unique=True, min_size=1), max_size=4
    ),
    st.dictionaries(
        st.sampled_from(FEEDSTOCKS),
        st.lists(st.text("ab-1*?[]!", max_size=4).map(lambda text: f"{text}b"), max_size=4),
        max_size=3,
    ),
)
def test_it_agrees_with_the_pure_registry(
    chan: Database, owned: dict[str, list[str]], globs: dict[str, list[str]]
) -> None:
    globs = {name: [each for each in some if len(each) > 1] for name, some in globs.items()}
    chan.write_now(lambda c: [c.execute(table.delete()) for table in (t.output_globs, t.outputs)])
    fill(chan, owned, globs)
    lower: dict[str, tuple[str, ...]] = {}
    for name, some in owned.items():
        lower[name.lower()] = tuple(dict.fromkeys((*lower.get(name.lower(), ()), *some)))
    pure = Registry(lower, Globs({name: tuple(some) for name, some in globs.items()}))
    for feedstock in (*FEEDSTOCKS, "unknown"):
        assert standings(chan, feedstock, *NAMES) == {name: pure.standing(name, feedstock) for name in NAMES}


def test_a_new_output_of_a_known_feedstock_is_not_its_own(chan: Database) -> None:
    fill(chan, {"numpy": ["one"]})
    assert standings(chan, "one", "numpy", "numpy-extra", "numpi") == {
        "numpy": Standing.REGISTERED,
        "numpy-extra": Standing.UNKNOWN,
        "numpi": Standing.UNKNOWN,
    }
    fill(chan, {}, {"one": ["numpy-*"], "two": ["numpi*"]})
    assert standings(chan, "one", "numpy-extra", "numpi") == {
        "numpy-extra": Standing.NEW,
        "numpi": Standing.FOREIGN,
    }


def test_who_may_publish_a_name(chan: Database) -> None:
    fill(chan, {"libllvm": ["two", "one"]}, {"three": ["libllvm*", "lib*"], "one": ["*19"]})
    assert publishers(chan, "LIBLLVM") == Publishers(("two", "one"), {})
    assert publishers(chan, "libllvm19") == Publishers((), {"one": "*19", "three": "libllvm*"})
    assert publishers(chan, "nobodys") == Publishers((), {})
    with pytest.raises(BadName):
        publishers(chan, "../x")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\0b", "\udcff", "x" * 65, "x" * 100_000, "%", "__x"])
def test_what_is_no_name_is_nobodys(chan: Database, name: str) -> None:
    fill(chan, {"numpy": ["one"]}, {"one": ["*x*", "*/b", "*%*x"]})
    assert standings(chan, "one", name, "numpy") == {name: Standing.UNKNOWN, "numpy": Standing.REGISTERED}


def test_what_another_process_changed_counts_at_once(chan: Database) -> None:
    other = open_database(chan.write_engine.url.render_as_string(hide_password=False))
    fill(chan, {}, {"one": ["numpy*"]})
    assert standings(other, "one", "numpy2") == {"numpy2": Standing.NEW}

    def remove(c: Connection) -> None:
        channel = channels.lock(c, ["chan"])["chan"]
        one = feedstocks.get(c, channel, "one")
        outputs.remove_glob(c, channel, "numpy*", one, actor())

    other.write_now(remove)
    assert standings(chan, "one", "numpy2") == {"numpy2": Standing.UNKNOWN}
    other.close()


def test_what_a_transaction_changed_counts_in_it_and_not_when_it_is_taken_back(chan: Database) -> None:
    class TakenBack(Exception):
        pass

    seen: list[dict[str, Standing]] = []

    def work(c: Connection) -> None:
        registering.import_(c, "chan", Wanted.checked({}, {"one": ["numpy*"]}), actor())
        seen.append(REGISTRY.standings(c, channels.get(c, "chan").id, "one", ["numpy2"]))
        raise TakenBack

    with pytest.raises(TakenBack):
        chan.write_now(work)
    assert seen == [{"numpy2": Standing.NEW}]
    fill(chan, {}, {"one": ["scipy*"]})
    assert standings(chan, "one", "numpy2", "scipy2") == {
        "numpy2": Standing.UNKNOWN,
        "scipy2": Standing.NEW,
    }


def test_a_hundred_thousand_globs_cost_a_lookup_nothing(chan: Database, backend: str) -> None:
    forms = ("lib{}-*", "*-lib{}", "pre{}[0-9]*", "*lib{}*", "p-*-{}")
    count = (100_000 if backend == "sqlite" else 10_000) // len(forms)

    def work(c: Connection) -> None:
        channel = channels.lock(c, ["chan"])["chan"]
        columns = ("id", "channel_id", "name", "created_ms")
        insert_many(c, t.feedstocks, columns, [(n, channel.id, f"f{n}", NOW) for n in range(count)])
        rows = [
            (number * len(forms) + at, channel.id, number, form.format(number), core_of(form.format(number)))
            for number in range(count)
            for at, form in enumerate(forms)
        ]
        insert_many(c, t.output_globs, ("id", "channel_id", "feedstock_id", "glob", "core"), rows)

    chan.write_now(work)
    names = [f"lib{number}-some-rather-long-name" for number in range(0, count, count // 100)]
    standings(chan, "f0", "warm")
    started = time.perf_counter()
    found = standings(chan, f"f{count // 100}", *names)
    assert time.perf_counter() - started < 1
    assert found[names[1]] is Standing.NEW
    assert found[names[2]] is Standing.FOREIGN
    matched = publishers(chan, names[1]).matched
    assert {
        feedstock: fnmatch.fnmatchcase(names[1], glob) for feedstock, glob in matched.items()
    } == dict.fromkeys(matched, True)


def test_globs_that_try_to_backtrack_do_not(chan: Database) -> None:
    hostile = [
        "*a" * (GLOB_LIMIT // 2),
        "*[ab]*a*[!c]*" * (GLOB_LIMIT // 13 - 1) + "d",
        "*" + "?" * 60 + "ab",
    ]
    fill(chan, {}, {"one": hostile})
    started = time.perf_counter()
    standings(chan, "two", "a" * 64, "a" * 63 + "e", "ab" * 32)
    assert time.perf_counter() - started < 1


def test_many_globs_with_one_core_are_looked_through_quickly(chan: Database) -> None:
    globs = [f"pkg-*-{number}" for number in range(5000)]
    fill(chan, {}, {"one": globs})
    started = time.perf_counter()
    assert standings(chan, "one", "pkg-x-4999", "pkg-x-5000") == {
        "pkg-x-4999": Standing.NEW,
        "pkg-x-5000": Standing.UNKNOWN,
    }
    assert time.perf_counter() - started < 1
