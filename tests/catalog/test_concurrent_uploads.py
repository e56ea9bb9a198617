"""Rule: uploads at the same time come to the same as uploads one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter

from channeld.catalog import bulk, files
from channeld.catalog.database import Database
from channeld.catalog.files import Added, Artifact
from channeld.catalog.rejections import FileConflict
from tests.support.catalog import actions, actor, artifact, dump, make_channel, marks, revision_of, shown


async def add(database: Database, package: Artifact, channel: str = "chan") -> Added:
    return await database.write(lambda c: files.add(c, channel, package, ["main"], actor()))


async def test_fifty_times_the_same_artifact_is_one_file(database: Database) -> None:
    make_channel(database)
    alpha = artifact()

    added = await asyncio.gather(*(add(database, alpha) for _ in range(50)))

    assert Counter(one.outcome for one in added) == {"created": 1, "unchanged": 49}
    assert len({one.file for one in added}) == 1
    assert (len(dump(database)["files"]), len(dump(database)["artifacts"])) == (1, 1)
    assert revision_of(database) == 2
    assert marks(database) == [("main", "noarch", alpha.filename)]
    assert [action for action, *_ in actions(database)] == ["channel.create", "file.add"]


async def test_fifty_artifacts_are_fifty_files(database: Database) -> None:
    make_channel(database)
    packages = [artifact(f"p{number:02}") for number in range(50)]

    added = await asyncio.gather(*(add(database, package) for package in packages))

    assert {one.outcome for one in added} == {"created"}
    assert sorted(one.revision for one in added) == list(range(2, 52))
    assert revision_of(database) == 51
    assert shown(database) == [package.filename for package in packages]


async def test_of_different_bytes_under_one_name_one_wins(database: Database) -> None:
    make_channel(database)
    packages = [artifact(content=str(number)) for number in range(20)]

    results = await asyncio.gather(*(add(database, package) for package in packages), return_exceptions=True)

    assert Counter(type(result) for result in results) == {Added: 1, FileConflict: 19}
    assert len(dump(database)["files"]) == 1
    assert revision_of(database) == 2


async def test_one_artifact_into_many_channels_is_stored_once(database: Database) -> None:
    """Here the channels' locks do not help: two transactions insert the same row."""
    names = [f"chan-{number:02}" for number in range(16)]
    for name in names:
        make_channel(database, name)
    alpha = artifact()

    added = await asyncio.gather(*(add(database, alpha, name) for name in names))

    assert {one.outcome for one in added} == {"created"}
    assert len({one.file.artifact_id for one in added}) == 1
    assert (len(dump(database)["files"]), len(dump(database)["artifacts"])) == (16, 1)


async def test_two_imports_of_the_same_artifacts_in_opposite_order_both_get_through(
    database: Database,
) -> None:
    """Each would wait for a row that the other has inserted, were the rows not inserted in one order."""
    packages = [artifact(f"p{number:03}") for number in range(200)]

    async def take(channel: str, arriving: list[Artifact]) -> list[bulk.Landing]:
        arrivals = [bulk.Arrival(package) for package in arriving]
        return await database.write(
            lambda c: bulk.add_many(c, channel, arrivals, ["main"], actor(), bulk.Marking.WHOLE)
        )

    for number in range(5):
        names = [f"{side}-{number}" for side in ("left", "right")]
        for name in names:
            make_channel(database, name)
        fresh = [artifact(package.name, content=str(number)) for package in packages]

        landed = await asyncio.gather(take(names[0], fresh), take(names[1], fresh[::-1]))

        assert [{*one} for one in landed] == [{"created"}, {"created"}]
