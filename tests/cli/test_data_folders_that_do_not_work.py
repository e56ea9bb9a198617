"""Commands that work on a data folder tell in a sentence when it is the wrong one, or none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, run_command
from tests.support.folders import put_conda
from tests.support.instances import make_channel, opened
from tests.support.packages import build_conda


def run_in(data: Path, *arguments: str) -> Ran:
    return run_command(*arguments, env={"CHANNELD_STORAGE__DATA_DIR": str(data)})


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("db", "upgrade")])
def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    data = tmp_path / "file" / "data"
    done = run_in(data, *command)
    assert (done.status, done.stdout) == (3, "")
    assert done.stderr.startswith(f"Error: The file system failed at {data}: ")


def test_a_folder_that_an_index_cannot_write_into_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "noarch").mkdir()
    (tmp_path / "noarch" / "alpha-1.0-0.conda").write_bytes(build_conda("alpha"))
    (tmp_path / ".channeld").write_text("no folder")
    done = run_command("index", str(tmp_path))
    assert (done.status, done.stdout) == (3, "")
    assert done.stderr.startswith(
        f"Error: The file system failed at {tmp_path / '.channeld'}: File exists.\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [".channeld", "noarch"]


NEEDS_A_CATALOG = pytest.mark.parametrize(
    "command",
    [
        ("backup", "copies"),
        ("fsck",),
        ("db", "admin-token"),
        ("db", "status"),
        ("audit", "verify"),
        ("import", "chan", "/"),
    ],
    ids=" ".join,
)


@NEEDS_A_CATALOG
def test_a_folder_without_a_catalog_is_told_and_stays_as_it_is(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = run_in(tmp_path / "data", *command)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: There is no catalog in {tmp_path / 'data'}.\n")
    assert "--data-dir" in done.stderr
    assert list(tmp_path.iterdir()) == []


@NEEDS_A_CATALOG
def test_an_empty_file_is_no_catalog(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "catalog.sqlite").touch()
    done = run_in(tmp_path, *command)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: There is no catalog in {tmp_path}.\n")


def test_every_local_command_takes_the_data_folder_as_an_option(tmp_path: Path) -> None:
    data, source, copies = tmp_path / "elsewhere", tmp_path / "source", tmp_path / "copies"
    put_conda(source, "alpha")
    with opened(data) as instance:
        make_channel(instance, "chan")
    where = ("--data-dir", str(data / "data"))
    for command in (
        ("db", "upgrade"),
        ("db", "status"),
        ("db", "admin-token"),
        ("import", "chan", str(source), "-j", "1"),
        ("fsck", "--packages"),
        ("audit", "verify"),
        ("backup", str(copies)),
    ):
        done = run_in(tmp_path / "wrong", *command, *where)
        assert done.status == 0, (command, done)
    back = run_in(tmp_path / "wrong", "restore", str(copies), "--data-dir", str(tmp_path / "restored"))
    assert back.status == 0
    assert not (tmp_path / "wrong").exists()


def test_what_has_keys_in_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert run_in(tmp_path / "data", "db", "upgrade").status == 0
        assert run_in(tmp_path / "data", "backup", str(tmp_path / "copies")).status == 0
    finally:
        os.umask(before)
    keys = [*(tmp_path / "data").glob("catalog.sqlite*"), *(tmp_path / "copies").glob("catalog-*")]
    assert len(keys) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


@pytest.mark.parametrize("where", ["data", "data/backup", "."])
def test_a_backup_into_the_data_folder_or_around_it_is_refused(tmp_path: Path, where: str) -> None:
    assert run_in(tmp_path / "data", "db", "upgrade").status == 0
    before = sorted((tmp_path / "data").iterdir())
    done = run_in(tmp_path / "data", "backup", str(tmp_path / where))
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {(tmp_path / where).resolve()} and the data folder ")
    assert sorted((tmp_path / "data").iterdir()) == before


def test_a_check_of_a_channel_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    assert run_in(tmp_path / "data", "db", "upgrade").status == 0
    done = run_in(tmp_path / "data", "fsck", "--channel", "typo")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no channel 'typo'.\n")
