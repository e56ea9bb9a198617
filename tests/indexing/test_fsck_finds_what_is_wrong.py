"""Rule: fsck finds every piece that is not as it was written, and every page and shard that the catalog would have
otherwise; it changes nothing, and what it marks is made right by the next publication."""

from __future__ import annotations

from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from channeld.catalog import shards
from channeld.catalog import tables as t
from channeld.catalog.files import Artifact
from channeld.formats.shard import decode_shard_index
from channeld.indexing.comparing import Finding
from channeld.indexing.fsck import ViewReport
from channeld.indexing.generation import Paged, Whole
from channeld.indexing.pagetable import Place
from tests.support.catalog import dump
from tests.support.indexing import SHARDS, World, damage, flip_bit, forget, package


@pytest.fixture
def filled(world: World) -> World:
    for number in range(12):
        world.upload(package(f"package{number:02d}"))
    world.upload(package("package03", "1.1", build="b", v3=True))
    world.upload(package("package03", "1.1", extension=".tar.bz2"))
    world.label(package("package05"), "broken")
    world.publish()
    return world


def check(world: World, subdir: str = "linux-64") -> ViewReport:
    return world.checker.check(world.key(subdir))


def findings(world: World, subdir: str = "linux-64") -> set[tuple[str, str]]:
    return {(one.document, one.part) for one in check(world, subdir).findings}


def repaired(world: World, subdir: str = "linux-64") -> bool:
    """Repair, publish, and tell whether nothing is found any more."""
    assert world.checker.repair(world.key(subdir), world.clock.now_ms())
    forget(world)
    world.publish()
    return check(world, subdir).is_sound


def first_page(world: World, name: str) -> Place:
    return next(iter(world.table(name).pages())).place


def change_record(world: World, artifact: Artifact) -> None:
    """Change the catalog behind the indexer's back."""

    def change(connection: Connection) -> None:
        mine = t.artifacts.c.sha256 == artifact.sha256
        record = artifact.record.replace(b'"size":', b'"license":"MIT","size":')
        connection.execute(t.artifacts.update().where(mine).values(record=record))

    world.write(change)


def test_nothing_is_found_where_nothing_is_wrong(filled: World) -> None:
    before = dump(filled.database)
    report = check(filled)
    assert report == ViewReport("chan", "main", "linux-64", 1, report.pages, 11, compared=True, findings=())
    assert report.pages > 10
    assert report.is_sound
    assert all(filled.checker.check(key).is_sound for key in filled.checker.views())
    assert dump(filled.database) == before


def test_every_view_is_listed(filled: World) -> None:
    assert {(key.label, key.subdir) for key in filled.checker.views()} == {
        (label, subdir) for label in ("main", "broken") for subdir in ("linux-64", "")
    }


def test_a_view_that_is_not_published_has_nothing_to_check(filled: World) -> None:
    assert check(filled, "noarch") == ViewReport("chan", "main", "noarch", 0)


@pytest.mark.parametrize("name", ["repodata.json", "run_exports.json", "current_repodata.json"])
def test_a_damaged_page(filled: World, name: str) -> None:
    place = first_page(filled, name)
    damage(filled, [place])
    shared = {
        document
        for document in (
            "repodata.json",
            "repodata_from_packages.json",
            "run_exports.json",
            "current_repodata.json",
        )
        if place in [page.place for page in filled.table(document).pages()]
    }
    assert {document for document, part in findings(filled) if part.startswith("page from")} == shared
    assert repaired(filled)


def test_a_damaged_page_table(filled: World) -> None:
    document = filled.raw()["run_exports.json"]
    assert isinstance(document, Paged)
    damage(filled, [document.table])
    assert findings(filled) == {("run_exports.json", "page table")}
    assert repaired(filled)


def test_a_damaged_shard_index(filled: World) -> None:
    damage(filled, [filled.place_of_whole(SHARDS)])
    assert (SHARDS, "document") in findings(filled)
    assert repaired(filled)


def shard_of(world: World, name: str) -> shards.StoredShard:
    sha256 = decode_shard_index(world.packs.read(world.place_of_whole(SHARDS))).shards[name]
    channel_id = world.key().channel_id
    found = world.database.read_now(partial(shards.find, channel_id=channel_id, sha256=sha256))
    assert found is not None
    return found


def test_a_damaged_shard(filled: World) -> None:
    shard = shard_of(filled, "package07")
    damage(filled, [Place(shard.pack, shard.start, shard.size, shard.sha256)])
    assert findings(filled) == {(SHARDS, "shard of package07")}
    assert repaired(filled)


def test_a_shard_that_is_listed_but_not_known(filled: World) -> None:
    shard = shard_of(filled, "package07")
    filled.write(lambda c: c.execute(t.shards.delete().where(t.shards.c.sha256 == shard.sha256)))
    assert findings(filled) == {(SHARDS, "shard of package07")}
    assert repaired(filled)


def test_a_damaged_frame(filled: World) -> None:
    document = filled.raw()["repodata.json"]
    assert isinstance(document, Paged)
    path = filled.assembly.ensure(document)
    for offset in (3, 30, document.zst_size // 2, document.zst_size - 1):
        whole = path.read_bytes()
        flip_bit(path, offset)
        assert ("repodata.json", "frame") in findings(filled)
        path.write_bytes(whole)
    flip_bit(path, document.zst_size // 2)
    assert repaired(filled)


def test_a_record_that_the_catalog_has_otherwise(filled: World) -> None:
    change_record(filled, package("package07"))
    found = findings(filled)
    assert (SHARDS, "shard of package07") in found
    assert {document for document, _ in found} == {"repodata.json", "repodata_from_packages.json", SHARDS}
    assert len(found) == 3
    assert repaired(filled)


def test_a_file_that_the_catalog_has_no_more_and_one_that_it_has_besides(filled: World) -> None:
    label_id = filled.key().label_id

    def change(connection: Connection) -> None:
        table = t.file_labels
        mine = sa.and_(table.c.label_id == label_id, table.c.filename == package("package00").filename)
        connection.execute(table.update().where(mine).values(active=False))

    filled.write(change)
    assert {
        (SHARDS, "shard of package00"),
        ("repodata.json", "removed from package05-1.0-0.conda"),
    } <= findings(filled)
    assert repaired(filled)


def test_a_change_of_the_text_around_the_entries(filled: World) -> None:
    relations = '{"base":"../other"}'
    filled.write(
        lambda c: c.execute(t.labels.update().where(t.labels.c.name == "main").values(relations=relations))
    )
    assert findings(filled) == {
        ("repodata.json", "the text around the entries"),
        ("repodata_from_packages.json", "the text around the entries"),
    }
    assert repaired(filled)


def test_times_of_records_of_a_new_kind_that_the_head_tells_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("channeld.indexing.render.times_of", lambda raw: (5, 7))
        world.upload(package("alpha", v3=True))
        world.publish()
    assert world.seen().documents["repodata.json"]["info"]["repodata_revisions"]["v3"]["oldest"] == 5
    assert ("repodata.json", "v3.conda from alpha-1.0-0.conda") in findings(world)
    assert repaired(world)


def test_channeldata_is_compared_too(filled: World) -> None:
    change_record(filled, package("package07"))
    assert check(filled, "").findings == (
        Finding("channeldata.json", "packages from package04", "the page differs from the catalog"),
    )
    assert repaired(filled, "")


def test_changes_that_wait_are_not_taken_for_faults(filled: World) -> None:
    filled.upload(package("package07", "2.0"))
    report = check(filled)
    assert (report.compared, report.findings) == (False, ())
    assert not check(filled, "").compared


def test_another_compressor_gives_other_bytes_for_the_same_shard(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channeld.formats.shard._SHARD_LEVEL", 19)
    assert check(filled).is_sound


def test_a_repair_of_a_sound_view_changes_no_bytes(filled: World) -> None:
    before = filled.seen()
    assert repaired(filled)
    assert filled.seen().digests() == before.digests()


def test_a_view_is_marked_once(filled: World) -> None:
    key = filled.key()
    assert filled.checker.repair(key, 5)
    assert not filled.checker.repair(key, 6)


def test_documents_in_one_piece_are_the_shard_index_alone(filled: World) -> None:
    assert [name for name, one in filled.raw().items() if isinstance(one, Whole)] == [SHARDS]
