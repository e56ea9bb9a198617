"""Rule: a request that is rejected leaves every row of every table as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from channeld.catalog import channels, files, labels, notices, tokens
from channeld.catalog.channels import ChannelSettings
from channeld.catalog.database import Database
from channeld.catalog.rejections import (
    BadSettingValue,
    CandidateAmbiguous,
    ChannelExists,
    ChannelMissing,
    ChannelNotEmpty,
    FileConflict,
    FileMissing,
    LabelLocked,
    LabelMissing,
    LabelPermanent,
    NoticeMissing,
    TokenMissing,
)
from channeld.catalog.selection import Selection
from channeld.errors import Rejected
from channeld.formats.notices import Notice
from channeld.formats.rejections import (
    ChannelNameIsSubdir,
    ChannelNameMalformed,
    IdentifierTooLong,
    LabelEndsInSubdir,
    LabelMalformed,
    LabelReserved,
    SubdirMalformed,
)
from tests.support.catalog import actor, artifact, dump, relabel

ALPHA = artifact("alpha")
SELECTED = Selection(filename=ALPHA.filename)
NEW = artifact("new")
TIME = datetime(2024, 1, 1, tzinfo=UTC)
NOTICE = Notice("n1", "hello", "info", TIME, TIME.replace(year=2034))

Change = Callable[[Connection], object]


def create(name: str, **settings: object) -> Change:
    return lambda c: channels.create(c, name, ChannelSettings(**settings), actor())  # type: ignore[arg-type]


def upload(*label_names: str, channel: str = "chan", content: str = "") -> Change:
    package = artifact("alpha", content=content) if content else NEW
    return lambda c: files.add(c, channel, package, label_names, actor())


REJECTED: list[tuple[type[Rejected], Change]] = [
    (ChannelMissing, upload(channel="nothing")),
    (ChannelMissing, lambda c: channels.configure(c, "nothing", {"private": True}, actor())),
    (ChannelMissing, lambda c: channels.delete(c, "nothing", actor())),
    (ChannelMissing, lambda c: labels.create(c, "nothing", "dev", actor())),
    (ChannelMissing, lambda c: notices.add(c, "nothing", NOTICE, actor())),
    (ChannelExists, create("chan", private=True)),
    (ChannelNotEmpty, lambda c: channels.delete(c, "chan", actor())),
    (ChannelNameMalformed, create("Chan")),
    (ChannelNameIsSubdir, create("linux-64")),
    (IdentifierTooLong, create("c" * 129)),
    (SubdirMalformed, create("new", subdirs=("Linux",))),
    (BadSettingValue, create("new", kind="other")),
    (BadSettingValue, lambda c: channels.configure(c, "chan", {"kind": "staging"}, actor())),
    (FileConflict, upload("new-label", content="other")),
    (LabelMalformed, upload("new-label", "Bad Label")),
    (LabelReserved, upload("new-label", "nolabel")),
    (LabelEndsInSubdir, upload("new-label", "x/linux-64")),
    (LabelLocked, upload("new-label", "locked")),
    (LabelMalformed, lambda c: labels.create(c, "chan", "a//b", actor())),
    (LabelMissing, lambda c: labels.configure(c, "chan", "nothing", actor(), locked=True)),
    (LabelMissing, lambda c: labels.delete(c, "chan", "nothing", actor())),
    (LabelLocked, lambda c: labels.delete(c, "chan", "locked", actor())),
    (LabelPermanent, lambda c: labels.delete(c, "chan", "main", actor())),
    (LabelPermanent, lambda c: labels.delete(c, "chan", "broken", actor())),
    (FileMissing, lambda c: files.delete(c, "chan", "noarch", "nothing-1-0.conda", actor())),
    (CandidateAmbiguous, lambda c: files.delete(c, "staging", "noarch", ALPHA.filename, actor())),
    (FileMissing, lambda c: relabel(c, Selection(filename="x"), add=["new-label"])),
    (LabelLocked, lambda c: relabel(c, SELECTED, add=["new-label", "locked"])),
    (LabelMissing, lambda c: relabel(c, SELECTED, remove=["main", "nothing"])),
    (LabelLocked, lambda c: relabel(c, Selection(label="locked"), remove=["locked"])),
    (NoticeMissing, lambda c: notices.expire(c, "chan", "nothing", actor())),
    (TokenMissing, lambda c: tokens.revoke(c, "nothing", actor())),
    (
        BadSettingValue,
        lambda c: tokens.create(c, "t", [], actor(), randomness=bytes(tokens.RANDOM_BYTES)),
    ),
]


def fill(connection: Connection) -> None:
    channels.create(connection, "chan", ChannelSettings(), actor())
    for package, label in ((ALPHA, "main"), (artifact("hidden"), "broken"), (artifact("kept"), "locked")):
        files.add(connection, "chan", package, [label], actor())
    labels.configure(connection, "chan", "locked", actor(), locked=True)
    channels.create(connection, "staging", ChannelSettings(kind="staging"), actor())
    for content in ("1", "2"):
        files.add(connection, "staging", artifact("alpha", content=content), ["main"], actor())


@pytest.fixture
def filled(database: Database) -> Database:
    database.write_now(fill)
    return database


def named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize(("rule", "change"), REJECTED, ids=named)
def test_nothing_is_stored(filled: Database, rule: type[Rejected], change: Change) -> None:
    """Not even by a caller that goes on in the same transaction, as an import does: nothing is rolled back then."""

    def go_on(connection: Connection) -> Rejected:
        with pytest.raises(rule) as rejection:
            change(connection)
        return rejection.value

    before = dump(filled)

    rejected = filled.write_now(go_on)

    assert type(rejected) is rule
    assert rejected.sentence()
    assert dump(filled) == before


async def test_all_of_them_at_once_leave_those_that_are_taken_alone(filled: Database) -> None:
    good = artifact("good")

    results = await asyncio.gather(
        *(filled.write(change) for _, change in REJECTED[:15]),
        filled.write(lambda c: files.add(c, "chan", good, ["main"], actor())),
        *(filled.write(change) for _, change in REJECTED[15:]),
        return_exceptions=True,
    )

    assert [type(result) for result in results if isinstance(result, Exception)] == [
        rule for rule, _ in REJECTED
    ]
    names = [row[3] for row in dump(filled)["files"]]
    assert good.filename in names
    assert NEW.filename not in names
