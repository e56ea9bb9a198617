"""Rule: an output has feedstocks in the order of registration, in lower case; globs are found by their cores."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import channels, feedstocks, outputs
from channeld.catalog import tables as t
from channeld.catalog.database import Database
from channeld.catalog.feedstock_rejections import GlobMissing, OutputNotRegistered
from channeld.catalog.outputs import KeyedGlob, Owned
from channeld.formats.rejections import BadName
from tests.support.catalog import UNCHANGED, Observed, actor, dump, make_channel, observe


class Work:
    """Work on a locked channel, in the name of feedstocks."""

    def __init__(self, connection: Connection, channel: str = "chan") -> None:
        self.connection = connection
        self.channel = channels.lock(connection, [channel])[channel]

    def register(self, name: str, feedstock: str, **options: Any) -> bool:
        found = feedstocks.get(self.connection, self.channel, feedstock)
        return outputs.register_output(self.connection, self.channel, name, found, actor(), **options)

    def remove(self, name: str, feedstock: str) -> None:
        found = feedstocks.get(self.connection, self.channel, feedstock)
        outputs.remove_output(self.connection, self.channel, name, found, actor())

    def add_globs(self, feedstock: str, *globs: tuple[str, str]) -> int:
        found = feedstocks.get(self.connection, self.channel, feedstock)
        keyed = {found: [KeyedGlob(glob, core) for glob, core in globs]}
        return outputs.add_globs(self.connection, self.channel, keyed, actor())

    def remove_glob(self, feedstock: str, glob: str) -> None:
        found = feedstocks.get(self.connection, self.channel, feedstock)
        outputs.remove_glob(self.connection, self.channel, glob, found, actor())


@pytest.fixture
def chan(database: Database) -> Database:
    for channel in ("chan", "other"):
        make_channel(database, channel)
        for name in ("one", "two", "three"):
            database.write_now(lambda c, n=name, ch=channel: feedstocks.register(c, ch, n, actor()))  # type: ignore[misc]
    return database


def owners(database: Database, *names: str, channel: str = "chan") -> dict[str, tuple[str, ...]]:
    return database.read_now(lambda c: outputs.owners(c, channels.get(c, channel).id, names))


def globs_with(database: Database, *cores: str, channel: str = "chan") -> list[tuple[str, str, str]]:
    found = database.read_now(lambda c: list(outputs.globs_with(c, channels.get(c, channel).id, cores)))
    return sorted((keyed.glob, keyed.core, feedstock) for keyed, feedstock in found)


def test_an_output_is_registered_once_for_each_feedstock(chan: Database) -> None:
    seen = observe(chan, lambda c: Work(c).register("numpy", "one"))
    assert seen == Observed(1, [], [("output.register", "numpy")])
    assert observe(chan, lambda c: Work(c).register("NumPy", "one")) == UNCHANGED
    assert owners(chan, "numpy") == owners(chan, "NUMPY") == {"numpy": ("one",)}
    assert owners(chan, "numpy", channel="other") == {}


def test_owners_stand_in_the_order_of_registration(chan: Database) -> None:
    for feedstock in ("two", "three", "one"):
        chan.write_now(lambda c, f=feedstock: Work(c).register("x", f))  # type: ignore[misc]
    assert owners(chan, "x", "y") == {"x": ("two", "three", "one")}


def test_a_caller_with_a_revision_makes_no_other(chan: Database) -> None:
    seen = observe(chan, lambda c: Work(c).register("x", "one", revision=99))
    assert seen == Observed(0, [], [("output.register", "x")])
    revisions = chan.read_now(
        lambda c: c.execute(sa.select(t.audit.c.revision).order_by(t.audit.c.id)).scalars().all()
    )
    assert revisions[-1] == 99


def test_the_audit_tells_whose_it_was_and_is(chan: Database) -> None:
    for feedstock in ("two", "one"):
        chan.write_now(lambda c, f=feedstock: Work(c).register("x", f))  # type: ignore[misc]
    chan.write_now(lambda c: Work(c).remove("X", "two"))
    rows = chan.read_now(lambda c: c.execute(sa.select(t.audit).order_by(t.audit.c.id)).all())[-2:]
    assert [(row.action, row.subject, row.before, row.after) for row in rows] == [
        ("output.register", "x", '{"feedstocks":["two"]}', '{"feedstocks":["two","one"]}'),
        ("output.remove", "x", '{"feedstocks":["two","one"]}', '{"feedstocks":["one"]}'),
    ]
    assert owners(chan, "x") == {"x": ("one",)}


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "x" * 65, "__glibc", "ä", "a\n", ".x"])
def test_what_names_no_package_is_not_registered(chan: Database, name: str) -> None:
    before = dump(chan)
    with pytest.raises(BadName):
        chan.write_now(lambda c: Work(c).register(name, "one"))
    assert dump(chan) == before


def test_what_is_not_there_is_not_removed(chan: Database) -> None:
    chan.write_now(lambda c: Work(c).register("x", "one"))
    chan.write_now(lambda c: Work(c).add_globs("one", ("x*", "x")))
    before = dump(chan)
    with pytest.raises(OutputNotRegistered):
        chan.write_now(lambda c: Work(c).remove("x", "two"))
    with pytest.raises(GlobMissing):
        chan.write_now(lambda c: Work(c).remove_glob("two", "x*"))
    assert dump(chan) == before


def test_outputs_are_listed_by_name_in_pages(chan: Database) -> None:
    for name, feedstock in (("c", "one"), ("a", "one"), ("b", "two"), ("a", "three")):
        chan.write_now(lambda c, n=name, f=feedstock: Work(c).register(n, f))  # type: ignore[misc]
    chan.write_now(lambda c: Work(c, "other").register("z", "one"))

    def listed(limit: int, after: str = "", feedstock: str = "") -> tuple[list[Owned], str]:
        def find(c: Connection) -> tuple[list[Owned], str]:
            channel = channels.get(c, "chan")
            whose = feedstocks.find(c, channel.id, feedstock)
            return outputs.page(c, channel.id, limit, after, feedstock=whose)

        return chan.read_now(find)

    assert listed(2) == ([Owned("a", ("one", "three")), Owned("b", ("two",))], "b")
    assert listed(2, "b") == ([Owned("c", ("one",))], "")
    assert listed(9, feedstock="one") == ([Owned("a", ("one", "three")), Owned("c", ("one",))], "")


def test_globs_are_found_by_their_cores_in_their_channel(chan: Database) -> None:
    added = observe(chan, lambda c: Work(c).add_globs("one", ("lib*", "lib"), ("*-x", "-x"), ("lib*", "lib")))
    assert added == Observed(1, [], [("glob.add", "one"), ("glob.add", "one")])
    chan.write_now(lambda c: Work(c).add_globs("two", ("lib*", "lib")))
    chan.write_now(lambda c: Work(c, "other").add_globs("one", ("lib?", "lib")))
    assert observe(chan, lambda c: Work(c).add_globs("two", ("lib*", "lib"))) == UNCHANGED
    assert globs_with(chan, "lib", "b", "") == [("lib*", "lib", "one"), ("lib*", "lib", "two")]
    assert globs_with(chan, *(str(number) for number in range(5000)), "-x") == [("*-x", "-x", "one")]
    assert globs_with(chan, 'li"b', "'", "\\", "%") == []

    removed = observe(chan, lambda c: Work(c).remove_glob("one", "lib*"))
    assert removed == Observed(1, [], [("glob.remove", "one")])
    assert globs_with(chan, "lib") == [("lib*", "lib", "two")]


def test_globs_are_listed_in_the_order_of_adding(chan: Database) -> None:
    chan.write_now(lambda c: Work(c).add_globs("two", ("b*", "b"), ("a*", "a")))
    chan.write_now(lambda c: Work(c).add_globs("one", ("c*", "c")))

    def listed(limit: int, after: int = 0, feedstock: str = "") -> tuple[list[tuple[str, str]], int]:
        def find(c: Connection) -> tuple[list[tuple[str, str]], int]:
            channel = channels.get(c, "chan")
            whose = feedstocks.find(c, channel.id, feedstock)
            return outputs.globs_page(c, channel.id, limit, after, feedstock=whose)

        return chan.read_now(find)

    first, after = listed(2)
    assert first == [("b*", "two"), ("a*", "two")]
    assert listed(2, after) == ([("c*", "one")], 0)
    assert listed(9, feedstock="one") == ([("c*", "one")], 0)


def test_many_are_registered_with_few_statements(chan: Database) -> None:
    pairs = [(f"p{number}", "one") for number in range(1200)]

    def work(c: Connection) -> int:
        inner = Work(c)
        one = feedstocks.get(c, inner.channel, "one")
        return outputs.register_each(c, inner.channel, [(name, one) for name, _ in pairs], actor())

    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(chan.write_engine, "before_cursor_execute", note)
    try:
        assert chan.write_now(work) == 1200
    finally:
        sa.event.remove(chan.write_engine, "before_cursor_execute", note)
    assert len(statements) < 20
    assert chan.write_now(work) == 0
