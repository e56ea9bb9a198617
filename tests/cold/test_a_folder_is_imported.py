"""``channeld import`` takes packages and their times of entry into a channel; the same again changes nothing."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from channeld.blobs import batches
from channeld.blobs.durable import Disk, DiskUnavailable
from channeld.catalog import audit, channels, leases
from channeld.catalog import tables as t
from channeld.catalog.rejections import ChannelMissing, LabelLocked
from channeld.cli.import_ import import_ as command
from channeld.cold import reading
from channeld.cold.importing import Importer, ImportOptions
from channeld.cold.progress import Silent
from channeld.cold.report import Report
from channeld.instance import Instance
from tests.support.folders import EARLIER_NS, NOW, index, put, put_conda, put_tar_bz2, repodata
from tests.support.instances import make_channel, opened, published_repodata
from tests.support.packages import TIMESTAMP, build_conda


def run(
    instance: Instance, folder: Path, channel: str = "tools", processes: int = 0, **options: Any
) -> Report:
    importer = Importer(processes)
    try:
        return importer.run(instance, channel, folder, ImportOptions(**options), Silent())
    finally:
        importer.close()


def rows(instance: Instance, *tables: sa.Table) -> list[list[tuple[Any, ...]]]:
    with instance.database.snapshot() as connection:
        return [sorted(tuple(row) for row in connection.execute(sa.select(table))) for table in tables]


def make_source(folder: Path) -> Path:
    put_conda(folder, "alpha")
    put_tar_bz2(folder, "alpha")
    put_conda(folder, "beta", subdir="linux-64")
    return folder


def test_packages_are_stored_and_published(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    index(source)
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        report = run(instance, source)
        assert (report.added, report.unchanged, report.refused, report.left_to) == (3, 0, [], "")
        for subdir in ("noarch", "linux-64"):
            published = published_repodata(instance, "tools", subdir)
            assert published == repodata(source, subdir)
        for path in source.rglob("*-0.*"):
            data = path.read_bytes()
            stored = instance.blobs.path(hashlib.sha256(data).hexdigest())
            assert stored.read_bytes() == data
            assert stored.stat().st_ino != path.stat().st_ino
        assert list(instance.blobs.incoming.iterdir()) == []


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    tables = (t.artifacts, t.files, t.file_labels, t.audit, t.channels, t.generations, t.dirty)
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        run(instance, source)
        before = rows(instance, *tables)
        report = run(instance, source)
        assert (report.added, report.unchanged) == (0, 3)
        assert rows(instance, *tables) == before
        assert list(instance.blobs.incoming.iterdir()) == []


def test_times_of_entry_are_those_of_the_source_or_the_best_there_is(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("listed", "other-bytes", "unlisted"):
        put_conda(source, name)
    put_conda(source, "timeless", index={"timestamp": None})
    put_conda(source, "ahead", index={"timestamp": NOW + 1000})
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (source / "noarch").iterdir()
    }
    records: dict[str, dict[str, Any]] = {
        "listed-1.0-0.conda": {"sha256": hashes["listed-1.0-0.conda"], "indexed_timestamp": NOW - 7},
        "other-bytes-1.0-0.conda": {"sha256": "0" * 64, "indexed_timestamp": NOW - 8},
        "ahead-1.0-0.conda": {"sha256": hashes["ahead-1.0-0.conda"], "indexed_timestamp": NOW + 9},
    }
    document = {"packages": {}, "packages.conda": records}
    (source / "noarch" / "repodata.json").write_bytes(orjson.dumps(document))
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        assert run(instance, source).refused == []
        published = published_repodata(instance, "tools", "noarch")["packages.conda"]
    assert {record["name"]: record["indexed_timestamp"] for record in published.values()} == {
        "ahead": NOW,
        "listed": NOW - 7,
        "other-bytes": TIMESTAMP,
        "timeless": EARLIER_NS // 1_000_000,
        "unlisted": TIMESTAMP,
    }


def test_conflicts_and_bad_packages_are_told_and_the_others_come_in(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    put_conda(first, "alpha")
    put(second, "alpha-1.0-0.conda", build_conda("alpha", depends=["beta"]))
    put(second, "broken-1.0-0.conda", b"no zip")
    put_conda(second, "Legacy")
    put_conda(second, "beta")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        run(instance, first)
        report = run(instance, second)
        assert report.added == 1
        assert sorted((one.filename, one.refusal.code) for one in report.refused) == [
            ("Legacy-1.0-0.conda", "package_name_malformed"),
            ("alpha-1.0-0.conda", "file_conflict"),
            ("broken-1.0-0.conda", "not_a_zip"),
        ]
        assert list(instance.blobs.incoming.iterdir()) == []
        assert list(published_repodata(instance, "tools", "noarch")["packages.conda"]) == [
            "alpha-1.0-0.conda",
            "beta-1.0-0.conda",
        ]


def test_a_channel_that_allows_it_takes_old_names(tmp_path: Path) -> None:
    put_conda(tmp_path / "source", "Legacy")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools", legacy="allow")
        assert run(instance, tmp_path / "source").added == 1


def test_labels_are_put_on_what_is_imported(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        run(instance, source, labels=("dev",))
        assert published_repodata(instance, "tools", "noarch", "dev")["packages"].keys() == {
            "alpha-1.0-0.tar.bz2"
        }
        report = run(instance, source, labels=("dev", "main"))
        assert (report.added, report.changed, report.unchanged) == (0, 3, 0)
        assert len(published_repodata(instance, "tools", "noarch")["packages"]) == 1


def test_what_cannot_work_is_told_before_anything_is_read(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        with pytest.raises(ChannelMissing):
            run(instance, source)
        make_channel(instance, "tools")
        instance.database.write_now(
            lambda connection: connection.execute(t.labels.update().values(locked=True))
        )
        with pytest.raises(LabelLocked):
            run(instance, source)
        assert rows(instance, t.artifacts, t.files) == [[], []]
        assert [path for path in instance.blobs.root.rglob("*") if path.is_file()] == []


def test_a_running_server_publishes_what_was_imported(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        instance.database.write_now(
            lambda connection: leases.take(connection, leases.INDEXER, "the server", NOW, 15_000)
        )
        report = run(instance, source)
        assert (report.added, report.left_to) == (3, "the server")
        assert len(rows(instance, t.dirty)[0]) == 3
        assert rows(instance, t.generations) == [[]]


def test_an_import_is_one_revision_and_one_audit_row_to_a_batch(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        run(instance, source)
        with instance.database.snapshot() as connection:
            last, created = audit.newest(connection)
            assert (last.action, last.actor, last.reason) == (
                "files.add",
                "channeld import",
                f"from {source}",
            )
            assert channels.get(connection, "tools").revision == created.revision + 1


def test_links_share_the_bytes_with_the_folder(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        assert run(instance, source, linked=True).added == 3
        for path in source.rglob("*-0.*"):
            stored = instance.blobs.path(hashlib.sha256(path.read_bytes()).hexdigest())
            assert stored.stat().st_ino == path.stat().st_ino


@pytest.mark.parametrize("linked", [False, True])
def test_large_files_are_read_in_pieces(
    tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE", 0)
    source = make_source(tmp_path / "source")
    put(source, "broken-1.0-0.conda", b"no zip")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        report = run(instance, source, linked=linked)
        assert (report.added, len(report.refused)) == (3, 1)
        for path in source.rglob("[ab]*-0.[ct]*"):
            data = path.read_bytes()
            if data != b"no zip":
                assert instance.blobs.path(hashlib.sha256(data).hexdigest()).read_bytes() == data
        assert list(instance.blobs.incoming.iterdir()) == []


def test_bytes_are_on_the_disk_before_their_rows_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(tmp_path / "source")
    seen: list[tuple[int, int]] = []
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")

        def count() -> tuple[int, int]:
            stored = [path for path in instance.blobs.root.rglob("*") if path.is_file() and not path.suffix]
            return len(stored), len(rows(instance, t.artifacts)[0])

        monkeypatch.setattr(batches, "sync_file_system", lambda folder: seen.append(count()))
        run(instance, source)
        assert seen == [(0, 0), (3, 0)]
        assert count() == (3, 3)


def test_bytes_that_were_swept_meanwhile_are_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        make_channel(instance, "others")
        run(instance, source)
        settle = batches.BlobBatch.settle

        def sweep_first(batch: batches.BlobBatch) -> None:
            for path in instance.blobs.root.rglob("*"):
                if path.is_file() and not path.suffix:
                    path.unlink()
            settle(batch)

        monkeypatch.setattr(batches.BlobBatch, "settle", sweep_first)
        assert run(instance, source, "others").added == 3
        stored = [path for path in instance.blobs.root.rglob("*") if path.is_file()]
        assert len(stored) == 3


@pytest.mark.parametrize("linked", [False, True])
def test_importing_again_mends_what_the_disk_damaged(tmp_path: Path, *, linked: bool) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        assert run(instance, source).added == 3
        packages = {path: path.read_bytes() for path in source.rglob("*-0.*")}
        stored = {instance.blobs.path(hashlib.sha256(data).hexdigest()): data for data in packages.values()}
        for path, data in stored.items():
            path.write_bytes(bytes(len(data)))
        for _ in range(2):  # the second time they may be links to the very same files
            assert run(instance, source, linked=linked).unchanged == 3
            assert {path: path.read_bytes() for path in stored} == stored
            assert {path: path.read_bytes() for path in packages} == packages
            assert list(instance.blobs.incoming.iterdir()) == []


def test_a_store_that_takes_nothing_is_told_before_any_package_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(tmp_path / "source")

    def refuse(_disk: Disk, path: Path) -> BinaryIO:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        monkeypatch.setattr(Disk, "create", refuse)
        with pytest.raises(DiskUnavailable, match=r"blobs/incoming/.*: Permission denied"):
            run(instance, source)
        assert rows(instance, t.artifacts) == [[]]


def test_worker_processes_import_the_same(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(30):
        put_conda(source, f"alpha{number}")
    importer = Importer(2)
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
        try:
            report = importer.run(instance, "tools", source, ImportOptions(), Silent())
        finally:
            importer.close()
        assert report.added == 30
        assert len(published_repodata(instance, "tools", "noarch")["packages.conda"]) == 30


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    with opened(tmp_path) as instance:
        make_channel(instance, "tools")
    environment = {
        "CHANNELD_STORAGE__DATA_DIR": str(tmp_path / "data"),
        "CHANNELD_STORAGE__RESERVE_BYTES": "0",
    }
    runner = CliRunner(env=environment)
    done = runner.invoke(command, ["tools", str(source), "--no-progress"])
    assert done.exit_code == 0
    assert done.stdout.startswith("3 added, 0 changed, 0 unchanged, 0 refused, in ")
    put(source, "broken-1.0-0.conda", b"no zip")
    done = runner.invoke(command, ["tools", str(source), "--quiet"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Refused: noarch/broken-1.0-0.conda\n")
    assert os.environ.get("CHANNELD_STORAGE__DATA_DIR") is None
