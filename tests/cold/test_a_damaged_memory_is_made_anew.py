"""Rule: what is remembered of a folder may turn out damaged at any time; the run begins anew, and ends as ever."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channeld.cold import names, records, state, workers
from tests.support.folders import contents, filenames, index, leftovers, put_conda

SUBDIRS = ("noarch", "linux-64", "osx-64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subdir in SUBDIRS:
        for number in range(3):
            put_conda(tmp_path, f"{subdir}{number}", subdir=subdir)
    return tmp_path


@pytest.fixture(autouse=True)
def loaded_anew() -> Iterator[None]:
    """Workers that are forked look up what a test puts in a function's place."""
    workers.load.cache_clear()
    yield
    workers.load.cache_clear()


def test_a_file_that_is_none_any_more(folder: Path) -> None:
    index(folder)
    before = contents(folder)
    (folder / ".channeld" / state.FILE).write_bytes(b"no database" * 1000)
    report = index(folder)
    assert (report.added, report.unchanged) == (9, 0)
    assert contents(folder) == before


@pytest.mark.parametrize("processes", [0, 2])
def test_damage_that_a_worker_meets_while_others_are_drawing(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    met = tmp_path_factory.mktemp("met") / "met"
    slept = met.with_name("slept")
    draw_names, draw_records = names.draw_names, records.draw_records

    def damaged_once(state_file: Path, subdir: str, *more: Any) -> Any:
        if not met.exists():
            met.touch()
            raise state.StateDamaged(str(state_file))
        return draw_names(state_file, subdir, *more)

    def slow_at_first(state_file: Path, subdir: str, *more: Any) -> Any:
        if not slept.exists():
            slept.touch()
            time.sleep(0.5)  # its answer comes when nobody waits for it any more
        return draw_records(state_file, subdir, *more)

    monkeypatch.setattr(names, "draw_names", damaged_once)
    monkeypatch.setattr(records, "draw_records", slow_at_first)
    # in a process without threads, whose workers are forked and so have these functions too
    run = multiprocessing.get_context("fork").Process(
        target=index, args=(folder,), kwargs={"processes": processes}
    )
    run.start()
    run.join()
    assert (run.exitcode, met.exists(), slept.exists()) == (0, True, True)
    assert [len(filenames(folder, subdir)) for subdir in SUBDIRS] == [3, 3, 3]
    assert leftovers(folder) == []
