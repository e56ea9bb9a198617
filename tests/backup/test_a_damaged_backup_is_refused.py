"""Whatever is wrong with a backup is found before anything is restored, and said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channeld.backup import dump
from channeld.backup.backup import take
from channeld.backup.rejections import (
    BackupDamaged,
    DumpUnreadable,
    InstanceNotEmpty,
    NotABackup,
    RevisionDiffers,
)
from channeld.backup.restore import restore
from channeld.catalog import schema
from channeld.errors import Rejected
from tests.backup.conftest import bring_back, files_below, opened
from tests.support.catalog import dump as rows_of
from tests.support.packages import build_conda
from tests.support.server import running_server


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    async with running_server(tmp_path / "first") as server:
        server.channel()
        for name in ("alpha", "beta"):
            assert (await server.upload(f"{name}-1.0-0.conda", build_conda(name))).status == 201
        await server.settled()
        take(server.services.instance, tmp_path / "backup")
    return tmp_path / "backup"


def one(folder: Path, pattern: str) -> Path:
    return min(path for path in folder.glob(pattern) if path.is_file())


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def manifest(change: dict[str, Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    return write


@pytest.mark.parametrize(
    ("pattern", "damage", "rule"),
    [
        ("manifest.json", Path.unlink, NotABackup),
        ("manifest.json", lambda path: path.write_bytes(b"{"), NotABackup),
        ("manifest.json", lambda path: path.write_bytes(b"[]"), NotABackup),
        ("manifest.json", manifest({"format": 99}), NotABackup),
        ("manifest.json", manifest({"catalog_sha256": "0" * 64}), BackupDamaged),
        ("catalog-*", Path.unlink, BackupDamaged),
        ("catalog-*", flipped, BackupDamaged),
        ("blobs/??/*", Path.unlink, BackupDamaged),
        ("blobs/??/*", flipped, BackupDamaged),
        ("packs/*", Path.unlink, BackupDamaged),
        ("packs/*", flipped, BackupDamaged),
    ],
)
def test_nothing_is_restored(
    backup: Path, tmp_path: Path, pattern: str, damage: Callable[[Path], Any], rule: type[Rejected]
) -> None:
    damage(one(backup, pattern))
    with opened(tmp_path / "second") as instance:
        rows, files = rows_of(instance.database), stored(tmp_path / "second")
        with pytest.raises(rule):
            restore(instance, backup)

        assert (rows_of(instance.database), stored(tmp_path / "second")) == (rows, files)


def stored(folder: Path) -> list[str]:
    return [name for name in files_below(folder) if "catalog.sqlite" not in name]


def test_an_empty_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(NotABackup) as caught:
        bring_back(tmp_path / "second", tmp_path / "backup")
    assert str(caught.value) == (
        f"The folder {tmp_path / 'backup'} is not a finished backup. "
        "Give the folder that `channeld backup` wrote; one that was not finished has no manifest."
    )


def test_what_is_there_is_not_written_over(backup: Path, tmp_path: Path) -> None:
    bring_back(tmp_path / "second", backup)
    with pytest.raises(InstanceNotEmpty):
        bring_back(tmp_path / "second", backup)


def test_tables_of_another_revision_are_refused(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "second") as instance:
        monkeypatch.setattr(schema, "newest_revision", lambda: "9999")
        with pytest.raises(RevisionDiffers) as caught:
            restore(instance, backup)

    assert caught.value.wanted == "9999"
    assert stored(tmp_path / "second") == []


@pytest.mark.parametrize("length", [0, 1, 10, 100, -30])
def test_a_dump_that_is_cut_short_is_no_dump(backup: Path, length: int) -> None:
    path = one(backup, "catalog-*")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DumpUnreadable):
        list(dump.batches(path, schema.newest_revision()))


def test_a_restore_that_was_interrupted_goes_on(backup: Path, tmp_path: Path) -> None:
    """Files are there already, rows are not: what is there is not copied again."""
    bring_back(tmp_path / "second", backup)
    for path in (tmp_path / "second" / "data").glob("catalog.sqlite*"):
        path.unlink()
    with opened(tmp_path / "second") as instance:
        report = restore(instance, backup)

    assert (report.artifacts, report.copied_files) == (2, 0)
